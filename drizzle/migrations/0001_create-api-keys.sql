CREATE TABLE `api_keys` (
	`id` bigint unsigned AUTO_INCREMENT NOT NULL,
	`name` varchar(100) NOT NULL,
	`scopes` varchar(32) NOT NULL,
	`digest` char(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	`date_created` datetime(3) NOT NULL,
	`date_revoked` datetime(3),
	CONSTRAINT `api_keys_id` PRIMARY KEY(`id`)
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4;
