{#-
    dbt's own table and view are built beside the old one and both renamed, so that readers of the database never miss
    it. Here nobody reads what is being built, and each rename and drop costs more than most models: what was there is
    replaced.
-#}
{% materialization in_place_table, adapter='duckdb', supported_languages=['sql', 'python'] -%}
    {%- set existing = load_cached_relation(this) -%}
    {%- set target_relation = this.incorporate(type='table') -%}
    {%- set language = model['language'] -%}
    {{ run_hooks(pre_hooks) }}
    {%- if language == 'python' and existing is not none -%}
        {%- do adapter.drop_relation(existing) -%}
    {%- endif -%}
    {%- call statement('main', language=language) -%}
        {%- if language == 'sql' -%}
            {{ drop_existing(existing) }}
        {%- endif -%}
        {{ create_table_as(False, target_relation, compiled_code, language) }}
    {%- endcall -%}
    {{ run_hooks(post_hooks) }}
    {%- do adapter.commit() -%}
    {{ return({'relations': [target_relation]}) }}
{%- endmaterialization %}

{#-
    A table that is built some days at a time: what it held of the days of this run goes, also of days that are empty
    now, and they are added anew. `meta.built_by` names the column of the day.
-#}
{% materialization in_place_days, adapter='duckdb' -%}
    {%- set existing = load_cached_relation(this) -%}
    {%- set target_relation = this.incorporate(type='table') -%}
    {{ run_hooks(pre_hooks) }}
    {%- call statement('main') -%}
        {%- if existing is none or should_full_refresh() -%}
            {{ drop_existing(existing) }}
            {{ create_table_as(False, target_relation, compiled_code) }}
        {%- else -%}
            delete from {{ target_relation }} where {{ built_days(config.get('meta')['built_by']) }};
            insert into {{ target_relation }} by name (
                {{ compiled_code }}
            )
        {%- endif -%}
    {%- endcall -%}
    {{ run_hooks(post_hooks) }}
    {%- do adapter.commit() -%}
    {{ return({'relations': [target_relation]}) }}
{%- endmaterialization %}

{% materialization in_place_view, adapter='duckdb' -%}
    {%- set existing = load_cached_relation(this) -%}
    {%- set target_relation = this.incorporate(type='view') -%}
    {{ run_hooks(pre_hooks) }}
    {%- call statement('main') -%}
        {{ drop_existing(existing) }}
        {{ get_create_view_as_sql(target_relation, sql) }}
    {%- endcall -%}
    {{ run_hooks(post_hooks) }}
    {%- do adapter.commit() -%}
    {{ return({'relations': [target_relation]}) }}
{%- endmaterialization %}

{% macro drop_existing(existing) -%}
    {%- if existing is not none -%}
        drop {{ existing.type }} {{ existing }};
    {%- endif -%}
{%- endmacro %}
