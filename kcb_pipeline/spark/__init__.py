"""The same night on an existing Spark cluster (`engine = "spark"`): docs/spark.md, docs/adr/0011.

Everything on values is done by the functions of the library, on Arrow batches; what is here is how rows reach them and meet each other.
Nothing outside this package imports PySpark, and nothing here is imported where the engine is DuckDB.
"""
