CREATE TABLE `leases` (
	`name` varchar(32) NOT NULL,
	`owner` varchar(128) NOT NULL,
	`date_until` datetime(3) NOT NULL,
	CONSTRAINT `leases_name` PRIMARY KEY(`name`)
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4;
--> statement-breakpoint
CREATE TABLE `outbox` (
	`id` bigint unsigned AUTO_INCREMENT NOT NULL,
	`coupon_id` bigint unsigned NOT NULL,
	`position` bigint unsigned,
	`kind` varchar(32) NOT NULL,
	`sequence` bigint unsigned NOT NULL,
	`once_key` varchar(40),
	`facts` text,
	`date_created` datetime(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
	CONSTRAINT `outbox_id_coupon_id_pk` PRIMARY KEY(`id`,`coupon_id`),
	CONSTRAINT `outbox_by_position` UNIQUE(`coupon_id`,`position`),
	CONSTRAINT `outbox_once` UNIQUE(`coupon_id`,`once_key`),
	INDEX `outbox_without_position` (`position`,`id`),
	INDEX `outbox_by_date` (`date_created`)
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4;
--> statement-breakpoint
CREATE TABLE `webhook_cursors` (
	`coupon_id` bigint unsigned NOT NULL,
	`webhook_id` bigint unsigned NOT NULL,
	`sequence` bigint unsigned NOT NULL,
	`position` bigint unsigned NOT NULL,
	CONSTRAINT `webhook_cursors_coupon_id_webhook_id_pk` PRIMARY KEY(`coupon_id`,`webhook_id`)
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4;
--> statement-breakpoint
CREATE TABLE `webhook_deliveries` (
	`id` bigint unsigned AUTO_INCREMENT NOT NULL,
	`webhook_id` bigint unsigned NOT NULL,
	`coupon_id` bigint unsigned NOT NULL,
	`message_id` varchar(64) NOT NULL,
	`events` int unsigned NOT NULL,
	`first_event` varchar(64) NOT NULL,
	`last_event` varchar(64) NOT NULL,
	`status` int unsigned,
	`error` varchar(200),
	`duration_ms` int unsigned NOT NULL,
	`date_created` datetime(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
	CONSTRAINT `webhook_deliveries_id_coupon_id_pk` PRIMARY KEY(`id`,`coupon_id`),
	INDEX `webhook_deliveries_by_webhook` (`webhook_id`,`id`),
	INDEX `webhook_deliveries_by_date` (`date_created`)
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4;
--> statement-breakpoint
CREATE TABLE `webhooks` (
	`id` bigint unsigned AUTO_INCREMENT NOT NULL,
	`url` varchar(2048) NOT NULL,
	`secret` varchar(100) NOT NULL,
	`kinds` varchar(200) NOT NULL,
	`state` enum('active','paused','failed','gone') NOT NULL,
	`failures` int unsigned NOT NULL DEFAULT 0,
	`date_failing_since` datetime(3),
	`date_next_try` datetime(3),
	`last_error` varchar(200),
	`date_created` datetime(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
	CONSTRAINT `webhooks_id` PRIMARY KEY(`id`)
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4;