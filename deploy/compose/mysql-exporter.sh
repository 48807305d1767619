#!/bin/sh
# mysql-exporter.sh -- Makes the exporter's own user when the database is made: it reads the state of the server, and no table of ours.
set -eu
MYSQL_PWD="$MYSQL_ROOT_PASSWORD" mysql --user root <<SQL
CREATE USER IF NOT EXISTS 'exporter'@'%' IDENTIFIED BY '$MYSQL_EXPORTER_PASSWORD' WITH MAX_USER_CONNECTIONS 3;
GRANT PROCESS, REPLICATION CLIENT ON *.* TO 'exporter'@'%';
SQL
