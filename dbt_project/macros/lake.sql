{#-
    The lake's Parquet behind a source. An empty lake has no file that a pattern could match, so then
    the dataset's zero-row file, which is always there, gives the columns.
-#}
{% macro lake(dataset, pattern, partition=none) -%}
    {%- set root = env_var('BLOODHOUND_LAKE').replace("'", "''") -%}
    {%- set files = root ~ '/' ~ pattern -%}
    {%- if execute and run_query("select count(*) from glob('" ~ files ~ "')").rows[0][0] == 0 -%}
        read_parquet('{{ root }}/schemas/{{ dataset.identifier }}.parquet')
    {%- elif partition is none -%}
        read_parquet('{{ files }}', hive_partitioning = false)
    {%- else -%}
        read_parquet('{{ files }}', hive_partitioning = true, hive_types = {'{{ partition }}': date})
    {%- endif -%}
{%- endmacro %}
