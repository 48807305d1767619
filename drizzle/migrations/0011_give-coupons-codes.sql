CREATE TABLE `code_imports` (
	`coupon_id` bigint unsigned NOT NULL,
	`import_id` bigint unsigned NOT NULL,
	`after_position` bigint unsigned NOT NULL,
	`codes` bigint unsigned NOT NULL DEFAULT 0,
	`complete` boolean NOT NULL DEFAULT false,
	`date_touched` datetime(3) NOT NULL,
	CONSTRAINT `code_imports_coupon_id_import_id_pk` PRIMARY KEY(`coupon_id`,`import_id`)
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4;
--> statement-breakpoint
CREATE TABLE `code_patterns` (
	`coupon_id` bigint unsigned NOT NULL,
	`pattern` varchar(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	`prefix` varchar(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	`length` int unsigned NOT NULL,
	`code_key` char(43) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	CONSTRAINT `code_patterns_coupon_id` PRIMARY KEY(`coupon_id`)
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4;
--> statement-breakpoint
CREATE TABLE `imported_codes` (
	`coupon_id` bigint unsigned NOT NULL,
	`import_id` bigint unsigned NOT NULL,
	`position` bigint unsigned NOT NULL,
	`code` varchar(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
	CONSTRAINT `imported_codes_coupon_id_import_id_position_pk` PRIMARY KEY(`coupon_id`,`import_id`,`position`),
	CONSTRAINT `imported_codes_by_code` UNIQUE(`code`,`coupon_id`,`import_id`)
) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4;
--> statement-breakpoint
CREATE INDEX `code_patterns_by_prefix` ON `code_patterns` (`prefix`,`length`);