"""Where the tasks of stages run: in this process, or on a cluster. Stages cut their work into tasks and merge what
comes back; an engine runs a function on each. `spark.py` alone knows Spark.
"""
