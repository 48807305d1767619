ALTER TABLE `api_keys`
	MODIFY COLUMN `name` varchar(100) NOT NULL,
	MODIFY COLUMN `scopes` varchar(32) NOT NULL,
	DEFAULT CHARACTER SET utf8mb4;
--> statement-breakpoint
ALTER TABLE `coupons`
	MODIFY COLUMN `title` varchar(200) NOT NULL,
	MODIFY COLUMN `coupon_type` enum('FIRST_COME_FIRST_SERVED') NOT NULL,
	MODIFY COLUMN `stock_home` enum('mysql','redis') NOT NULL DEFAULT 'mysql',
	DEFAULT CHARACTER SET utf8mb4;
--> statement-breakpoint
ALTER TABLE `coupon_issues` DEFAULT CHARACTER SET utf8mb4;
