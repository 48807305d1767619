ALTER TABLE `coupon_issues` ADD `reference` varchar(128), ADD `date_revoked` datetime(3);--> statement-breakpoint
ALTER TABLE `coupons` ADD `currency` char(3) DEFAULT 'KRW' NOT NULL, ADD `usable_from` datetime(3), ADD `usable_until` datetime(3), ADD `usable_days` int unsigned, ADD `time_zone` varchar(64) DEFAULT 'UTC' NOT NULL;--> statement-breakpoint
CREATE SQL SECURITY INVOKER VIEW `coupon_issue_days` AS
	SELECT `issue`.`coupon_id` AS `coupon_id`,
		CAST(CASE `event`.`kind` WHEN 0 THEN `issue`.`date_issued` WHEN 1 THEN `issue`.`date_used` ELSE `issue`.`date_revoked` END AS DATE) AS `date`,
		CAST(SUM(IF(`event`.`kind` = 0, 1, 0)) AS UNSIGNED) AS `issued`,
		CAST(SUM(IF(`event`.`kind` = 1, 1, 0)) AS UNSIGNED) AS `used`,
		CAST(SUM(IF(`event`.`kind` = 2, 1, 0)) AS UNSIGNED) AS `revoked`,
		CAST(SUM(IF(`event`.`kind` = 1, `coupon`.`discount_amount`, 0)) AS UNSIGNED) AS `discount`,
		`coupon`.`currency` AS `currency`
	FROM `coupon_issues` AS `issue`
	JOIN `coupons` AS `coupon` ON `coupon`.`id` = `issue`.`coupon_id` AND `coupon`.`date_archived` IS NULL
	JOIN (SELECT 0 AS `kind` UNION ALL SELECT 1 AS `kind` UNION ALL SELECT 2 AS `kind`) AS `event`
		ON `event`.`kind` = 0 OR (`event`.`kind` = 1 AND `issue`.`date_used` IS NOT NULL) OR (`event`.`kind` = 2 AND `issue`.`date_revoked` IS NOT NULL)
	GROUP BY `issue`.`coupon_id`, `date`, `coupon`.`currency`;
