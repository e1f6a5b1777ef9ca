{#- Which rows of `thresholds` speak of this app, platform and day; null in a threshold speaks of all. -#}
{% macro threshold_applies(app_id, platform, day) -%}
    (thresholds.app_id is null or thresholds.app_id = {{ app_id }})
    and (thresholds.platform is null or thresholds.platform = {{ platform }})
    and (thresholds.since is null or thresholds.since <= {{ day }})
    and (thresholds.until is null or {{ day }} < thresholds.until)
{%- endmacro %}

{#- Of the thresholds that apply to a row, the narrowest counts. -#}
{% macro narrowest_threshold(keys) -%}
    qualify row_number() over (partition by {{ keys | join(', ') }} order by thresholds.precedence) = 1
{%- endmacro %}

{#-
    What a share means against its threshold. From `plain_from` cases on the share itself counts. Below, one bad
    case among a handful would cry wolf, so the lower end of the share's Wilson interval (95 %, two-sided) must pass
    the threshold; and fewer than `least` bad cases fail no run. Bad cases that come `clump` at a time are so many fewer
    cases: a batch of sixteen messages is lost once. Without a case, or without a threshold, nothing is known.
-#}
{% macro threshold_status(part, whole, least='thresholds.least', clump=1) -%}
    case
        when coalesce({{ whole }}, 0) = 0 or thresholds.error is null then 'unknown'
        when {{ judged_share(part, whole, clump) }} > thresholds.error and {{ part }} / {{ clump }} >= {{ least }} then 'error'
        when {{ judged_share(part, whole, clump) }} > thresholds.warn then 'warn'
        else 'ok'
    end
{%- endmacro %}

{% macro judged_share(part, whole, clump=1) -%}
    case
        when {{ whole }} / {{ clump }} >= thresholds.plain_from then {{ part }}::double / {{ whole }}
        else {{ wilson_limit('(' ~ part ~ ' / ' ~ clump ~ ')', '(' ~ whole ~ ' / ' ~ clump ~ ')', '-') }}
    end
{%- endmacro %}
