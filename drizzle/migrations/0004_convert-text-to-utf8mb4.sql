ALTER TABLE `api_keys`
	MODIFY COLUMN `name` varchar(100) CHARACTER SET utf8mb4 NOT NULL,
	MODIFY COLUMN `scopes` varchar(32) CHARACTER SET utf8mb4 NOT NULL,
	DEFAULT CHARACTER SET utf8mb4;
--> statement-breakpoint
ALTER TABLE `coupons`
	MODIFY COLUMN `title` varchar(200) CHARACTER SET utf8mb4 NOT NULL,
	MODIFY COLUMN `coupon_type` enum('FIRST_COME_FIRST_SERVED') CHARACTER SET utf8mb4 NOT NULL,
	MODIFY COLUMN `stock_home` enum('mysql','redis') CHARACTER SET utf8mb4 NOT NULL DEFAULT 'mysql',
	DEFAULT CHARACTER SET utf8mb4;
--> statement-breakpoint
ALTER TABLE `coupon_issues` DEFAULT CHARACTER SET utf8mb4;
