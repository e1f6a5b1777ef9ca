{#- Constants of the project, quoted, for `in (…)`; an empty list finds nothing. -#}
{% macro quoted_list(values) -%}
    {%- for value in values -%}
        '{{ value }}'{{ ', ' if not loop.last }}
    {%- else -%}
        null
    {%- endfor -%}
{%- endmacro %}

{#- A page view from a page of the site that the session had not seen yet, the home page apart. -#}
{% macro is_impossible_step() -%}
    paths.referring_page is not null
    and not regexp_matches(paths.referring_page, '^[^/]*//[^/]*/?$')
    and (pages.first_viewed_at is null or pages.first_viewed_at > paths.event_at)
{%- endmacro %}

{#-
    Who did what the rules of behaviour describe: one row per rule, day and suspect. The rules are data (the variable
    bot_behaviour, from conf/bots.toml), so that this is written once for all of them; without any rule nobody is found.
-#}
{% macro behaviour_found() -%}
    {{ nobody_found('session') }}
    union all
    {{ nobody_found('visitor') }}
    union all
    {{ nobody_found('address') }}
    {%- for rule in var('bot_behaviour') %}
        {{ found_by(rule) }}
    {%- endfor %}
{%- endmacro %}

{% macro found_by(rule) -%}
    union all
    select
        session_date,
        suspect,
        '{{ rule.name }}' as rule_name,
        '{{ rule.scope }}' as scope,
        concat_ws(
            ', '
    {%- for condition in rule.conditions %},
            '{{ condition.measure }} ' || round({{ condition.measure }}, 3)
    {%- endfor %}
        ) as evidence
    from {{ rule.scope }}_measures
    where
        true
    {%- for condition in rule.conditions %}
        and {{ condition.measure }} {{ condition.comparison }} {{ condition.limit }}
    {%- endfor %}
{%- endmacro %}

{% macro nobody_found(scope) -%}
    select
        session_date,
        suspect,
        cast(null as varchar) as rule_name,
        cast(null as varchar) as scope,
        cast(null as varchar) as evidence
    from {{ scope }}_measures
    where false
{%- endmacro %}

{#- Every rule, the contract's first: its name, what it is about, whether it flags, and its rank. -#}
{% macro all_bot_rules() -%}
    select
        rules.rule_name,
        rules.about,
        rules.is_flagging,
        rules.rule_rank
    from (
        values
    {%- for reason in var('bot_reasons') %}
        ('{{ reason }}', cast(null as varchar), true, {{ loop.index }}),
    {%- endfor %}
    {%- for rule in var('bot_behaviour') %}
        (
            '{{ rule.name }}',
            '{{ rule.about | replace("'", "''") }}',
            coalesce('{{ rule.name }}' in ({{ quoted_list(var('bot_rules')) }}), false),
            {{ loop.index + 100 }}
        ),
    {%- endfor %}
        (null, null, null, null)
    ) as rules (rule_name, about, is_flagging, rule_rank)
    where rules.rule_name is not null
{%- endmacro %}
