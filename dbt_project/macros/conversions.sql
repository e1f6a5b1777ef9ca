{#- Money below a million million; beyond, nobody paid it, and cents of it would overflow. -#}
{% macro bounded_money(amount) -%}
    case when abs({{ amount }}) < 1000000000000 then cast({{ amount }} as decimal(18, 4)) end
{%- endmacro %}

{#-
    What money adds up to. Amounts without a rate to the reporting currency are not added, and of nothing but such
    amounts the sum is unknown; of nothing at all it is nought.
-#}
{% macro known_sum(amount, is_unrated) -%}
    case when not coalesce(bool_and({{ is_unrated }}), false) then coalesce(sum({{ amount }}), 0) end
{%- endmacro %}

{#- Whole cents as money; a division would be one of floating point. -#}
{% macro money_of_cents(cents) -%}
    cast({{ cents }} as decimal(18, 0)) * cast(0.01 as decimal(3, 2))
{%- endmacro %}

{#-
    The value of an event's field that a declared conversion names: a column, or what stands in its data under a name,
    nested by dots. The name is data too; as a JSON pointer it can be no other path than it says.
-#}
{% macro event_field(field) -%}
    {%- set cases = ['when ' ~ field ~ ' is null then null'] -%}
    {%- for column in ['app_id', 'platform', 'page_type', 'url', 'url_host', 'url_path', 'country', 'locale'] -%}
        {%- do cases.append('when ' ~ field ~ " = '" ~ column ~ "' then " ~ column) -%}
    {%- endfor -%}
    case {{ cases | join(' ') }}
        else json_extract_string(
            data_json,
            '/' || replace(replace(replace({{ field }}, '~', '~0'), '/', '~1'), '.', '/')
        )
    end
{%- endmacro %}

{#- Whether a condition holds: text is compared as text, order as numbers. An absent field fails all but `!=`. -#}
{% macro condition_holds(field_value, operator, operand) -%}
    case {{ operator }}
        when '=' then {{ field_value }} = {{ operand }}
        when '!=' then {{ field_value }} is distinct from {{ operand }}
        when '<' then try_cast({{ field_value }} as double) < try_cast({{ operand }} as double)
        when '<=' then try_cast({{ field_value }} as double) <= try_cast({{ operand }} as double)
        when '>' then try_cast({{ field_value }} as double) > try_cast({{ operand }} as double)
        when '>=' then try_cast({{ field_value }} as double) >= try_cast({{ operand }} as double)
        when 'starts_with' then starts_with({{ field_value }}, {{ operand }})
        when 'contains' then contains({{ field_value }}, {{ operand }})
        when 'exists' then ({{ field_value }} is not null) = ({{ operand }} <> 'false')
    end
{%- endmacro %}
