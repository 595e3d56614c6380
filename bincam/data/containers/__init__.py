"""Files that hold many images: Parquet, Arrow and tar files, whose images have addresses such as ``a.parquet#12``."""
