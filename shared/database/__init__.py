"""PostgreSQL: tables, migrations, repositories, and the scorer's batch write."""
