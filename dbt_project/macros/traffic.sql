{#- The hour of the day of a moment in the reporting time zone, 0 to 23. -#}
{% macro reporting_hour(moment) -%}
    cast(extract('hour' from timezone('{{ var("reporting_timezone") }}', {{ moment }})) as integer)
{%- endmacro %}

{#-
    The rows of a traffic mart beside whether their day is whole and sealed, and how much of what the pixel saw that
    day, in that app and on that platform, has its event.
-#}
{% macro with_completeness(rows) -%}
days as (

    select
        date,
        is_complete,
        is_sealed
    from {{ ref('kpi_daily') }}

),

witnessed as (

    select
        reporting_date,
        app_id,
        platform,
        sum(matched) / nullif(sum(pixel_hits), 0) as completeness
    from {{ ref('int_pages_counted') }}
    group by all

),

final as (

    select
        {{ rows }}.*,
        coalesce(days.is_complete, false) as is_complete,
        coalesce(days.is_sealed, false) as is_sealed,
        witnessed.completeness
    from {{ rows }}
    left join days on {{ rows }}.date = days.date
    left join witnessed
        on
            {{ rows }}.date = witnessed.reporting_date
            and {{ rows }}.app_id = witnessed.app_id
            and {{ rows }}.platform = witnessed.platform

)

select * from final
{%- endmacro %}

{#-
    What somebody holds or sits before, by what ua-parser says of the system and the device. A tablet is told by its
    name, since Android's system is the same on both; so is what hangs on a wall or is worn.
-#}
{% macro device_class() -%}
    case
        when
            regexp_matches(device, '(?i)\b(tv|bravia|chromecast|aftt|roku)\b|smarttv|appletv')
            or os in ('tvOS', 'ATV OS X', 'webOS', 'Tizen', 'Roku', 'Chromecast', 'Chromecast Android')
            then 'tv'
        when regexp_matches(device, '(?i)playstation|xbox|nintendo|wii') then 'console'
        when os = 'watchOS' or regexp_matches(device, '(?i)watch') then 'wearable'
        when
            regexp_matches(device, '(?i)^ipad|tablet|\btab\b|kindle|playbook|^sm-[tx]\d|^kf[a-z]{2,}|xoom|nexus (7|9|10)\b')
            then 'tablet'
        when
            os in (
                'iOS', 'Android', 'Windows Phone', 'BlackBerry OS', 'Symbian OS', 'Firefox OS', 'KaiOS', 'HarmonyOS',
                'Windows Mobile'
            )
            or regexp_matches(device, '(?i)^iphone|^ipod|smartphone|feature phone|blackberry')
            then 'phone'
        when platform in ('ios', 'android', 'mobile_web') then 'phone'
        when
            os in ('Windows', 'Mac OS X', 'Linux', 'Chrome OS', 'FreeBSD', 'OpenBSD', 'NetBSD', 'Solaris')
            or os in ('Ubuntu', 'Debian', 'Fedora', 'Red Hat', 'SUSE', 'Gentoo', 'CentOS', 'Arch Linux', 'Linux Mint')
            then 'desktop'
        else '(unknown)'
    end
{%- endmacro %}
