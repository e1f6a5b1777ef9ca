{#-
    Google Analytics 4's default channel group of (source, medium, campaign): the first row of the seed channel_rules
    whose patterns all match; an empty pattern matches anything. The rules are read when the model is compiled, so that
    each pattern is a constant. All four arguments are compared in lower case; the lists of sources behind `category`
    are the seed traffic_sources.
-#}
{% macro default_channel_group(rules, source, medium, campaign, category) -%}
    {%- set columns = 'channel, category, source_pattern, medium_pattern, campaign_pattern' -%}
    {%- set found = run_query('select ' ~ columns ~ ' from ' ~ rules ~ ' order by priority').rows if execute else [] -%}
    {%- set cases = [] -%}
    {%- for rule in found -%}
        {%- set tests = [category ~ ' = ' ~ quoted(rule[1])] if rule[1] else [] -%}
        {%- do tests.append(matches(source, rule[2])) if rule[2] -%}
        {%- do tests.append(matches(medium, rule[3])) if rule[3] -%}
        {%- do tests.append(matches(campaign, rule[4])) if rule[4] -%}
        {%- do cases.append('when ' ~ (tests | join(' and ') or 'true') ~ ' then ' ~ quoted(rule[0])) -%}
    {%- endfor -%}
    case {{ cases | join(' ') }} when true then 'Unassigned' end
{%- endmacro %}

{#- Whether a whole value matches a pattern. -#}
{% macro matches(value, pattern) -%}
    regexp_full_match({{ value }}, {{ quoted(pattern) }})
{%- endmacro %}

{#- Text of the project's own as a constant of SQL. -#}
{% macro quoted(text) -%}
    '{{ text | replace("'", "''") }}'
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

{# Says that two relations speak of one campaign: links and ad platforms seldom agree on capitals. #}
{% macro is_same_campaign(left, right) -%}
    lower({{ left }}.source) is not distinct from lower({{ right }}.source)
    and lower({{ left }}.medium) is not distinct from lower({{ right }}.medium)
    and lower({{ left }}.campaign) is not distinct from lower({{ right }}.campaign)
{%- endmacro %}
