CREATE TABLE `audit_trail` (
	`id` bigint unsigned AUTO_INCREMENT NOT NULL,
	`coupon_id` bigint unsigned NOT NULL,
	`key_id` bigint unsigned,
	`actor` varchar(100) NOT NULL,
	`address` varchar(64),
	`action` varchar(40) NOT NULL,
	`changed_from` text,
	`changed_to` text,
	`date_created` datetime(3) NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
	CONSTRAINT `audit_trail_id_coupon_id_pk` PRIMARY KEY(`id`,`coupon_id`)
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4;
--> statement-breakpoint
CREATE TABLE `erased_users` (
	`coupon_id` bigint unsigned NOT NULL,
	`pseudonym` varchar(255) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	CONSTRAINT `erased_users_coupon_id_pseudonym_pk` PRIMARY KEY(`coupon_id`,`pseudonym`)
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4;
--> statement-breakpoint
ALTER TABLE `coupons` ADD `erasure_key` char(43) CHARACTER SET ascii COLLATE ascii_bin;--> statement-breakpoint
CREATE INDEX `audit_trail_by_coupon` ON `audit_trail` (`coupon_id`,`id`);--> statement-breakpoint
CREATE INDEX `audit_trail_by_key` ON `audit_trail` (`key_id`,`id`);