CREATE TABLE `coupon_issues` (
	`coupon_id` bigint unsigned NOT NULL,
	`sequence` bigint unsigned NOT NULL,
	`user_id` varchar(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	`date_issued` datetime(3) NOT NULL,
	`date_used` datetime(3),
	`date_created` datetime(3) NOT NULL,
	`date_updated` datetime(3) NOT NULL,
	CONSTRAINT `coupon_issues_coupon_id_sequence_pk` PRIMARY KEY(`coupon_id`,`sequence`),
	CONSTRAINT `coupon_issues_by_user` UNIQUE(`user_id`,`coupon_id`)
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4;
--> statement-breakpoint
CREATE TABLE `coupons` (
	`id` bigint unsigned AUTO_INCREMENT NOT NULL,
	`title` varchar(200) NOT NULL,
	`coupon_type` enum('FIRST_COME_FIRST_SERVED') NOT NULL,
	`total_quantity` bigint unsigned,
	`issued_quantity` bigint unsigned NOT NULL DEFAULT 0,
	`discount_amount` int unsigned NOT NULL,
	`min_available_amount` int unsigned NOT NULL,
	`date_issue_start` datetime(3) NOT NULL,
	`date_issue_end` datetime(3) NOT NULL,
	`paused` boolean NOT NULL DEFAULT false,
	`stock_home` enum('mysql','redis') NOT NULL DEFAULT 'mysql',
	`epoch` int unsigned NOT NULL DEFAULT 0,
	`version` int unsigned NOT NULL DEFAULT 1,
	`date_created` datetime(3) NOT NULL,
	`date_updated` datetime(3) NOT NULL,
	CONSTRAINT `coupons_id` PRIMARY KEY(`id`),
	CONSTRAINT `coupons_never_too_many` CHECK(issued_quantity <= total_quantity),
	CONSTRAINT `coupons_period` CHECK(date_issue_start < date_issue_end)
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4;
--> statement-breakpoint
CREATE INDEX `coupons_by_home` ON `coupons` (`stock_home`,`id`);