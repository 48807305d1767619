CREATE TABLE `installation` (
	`id` int unsigned NOT NULL,
	`name` char(36) NOT NULL,
	`partitions` int unsigned NOT NULL,
	`layout` int unsigned NOT NULL,
	`redis_id` char(36),
	`generation` int unsigned NOT NULL DEFAULT 1,
	`date_created` datetime(3) NOT NULL,
	CONSTRAINT `installation_id` PRIMARY KEY(`id`)
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4;
