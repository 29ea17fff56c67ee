"""The comparison of methods: runs, their quality, tables and pictures."""
