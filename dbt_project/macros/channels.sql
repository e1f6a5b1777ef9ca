{#-
    Google Analytics 4's default channel group of (source, medium, campaign), in the order in which Google
    documents the rules (support.google.com/analytics/answer/9756891): the first that applies. The lists of
    sources are the seed traffic_sources. All four arguments are compared in lower case.
-#}
{% macro default_channel_group(source, medium, campaign, category) -%}
    {%- set is_paid = "regexp_matches(" ~ medium ~ ", '^(.*cp.*|ppc|retargeting|paid.*)$')" -%}
    {%- set is_shopping_campaign = "regexp_matches(" ~ campaign ~ ", '^(.*(([^a-df-z]|^)shop|shopping).*)$')" -%}
    {%- set email = "('email', 'e-mail', 'e_mail', 'e mail')" -%}
    case
        when {{ source }} = '(direct)' and {{ medium }} in ('(none)', '(not set)') then 'Direct'
        when contains({{ campaign }}, 'cross-network') then 'Cross-network'
        when ({{ category }} = 'shopping' or {{ is_shopping_campaign }}) and {{ is_paid }} then 'Paid Shopping'
        when {{ category }} = 'search' and {{ is_paid }} then 'Paid Search'
        when {{ category }} = 'social' and {{ is_paid }} then 'Paid Social'
        when {{ category }} = 'video' and {{ is_paid }} then 'Paid Video'
        when {{ medium }} in ('display', 'banner', 'expandable', 'interstitial', 'cpm') then 'Display'
        when {{ is_paid }} then 'Paid Other'
        when {{ category }} = 'shopping' or {{ is_shopping_campaign }} then 'Organic Shopping'
        when
            {{ category }} = 'social'
            or {{ medium }} in (
                'social', 'social-network', 'social-media', 'sm', 'social network', 'social media'
            )
            then 'Organic Social'
        when {{ category }} = 'video' or contains({{ medium }}, 'video') then 'Organic Video'
        when {{ category }} = 'search' or {{ medium }} = 'organic' then 'Organic Search'
        when {{ medium }} in ('referral', 'app', 'link') then 'Referral'
        when {{ source }} in {{ email }} or {{ medium }} in {{ email }} then 'Email'
        when {{ medium }} = 'affiliate' then 'Affiliates'
        when {{ medium }} = 'audio' then 'Audio'
        when {{ source }} = 'sms' or {{ medium }} = 'sms' then 'SMS'
        when
            ends_with({{ medium }}, 'push')
            or contains({{ medium }}, 'mobile')
            or contains({{ medium }}, 'notification')
            or {{ source }} = 'firebase'
            then 'Mobile Push Notifications'
        else 'Unassigned'
    end
{%- endmacro %}

{#-
    The names under which a host may stand in traffic_sources: itself and every parent domain, and each of
    them as a family ("google.*" is google under any country's suffix). Most specific first.
-#}
{% macro host_names(host) -%}
    flatten(list_transform(
        range(1, len(string_split({{ host }}, '.')) + 1),
        lambda depth: [
            array_to_string(string_split({{ host }}, '.')[depth:], '.'),
            regexp_replace(
                array_to_string(string_split({{ host }}, '.')[depth:], '.'),
                '^([^.]+)\.(com|[a-z][a-z]|com?\.[a-z][a-z])$',
                '\1.*'
            )
        ]
    ))
{%- endmacro %}
