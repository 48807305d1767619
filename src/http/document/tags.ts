// tags.ts -- Whom operations are for, and the security schemes of the document.

/** The groups of the document, in its order. */
export const tags = {
  issuing: 'Three ways to issue a coupon. They share one stock and keep the same promises.',
  users: 'The status of an issue, the issues of a user, and the public view of a coupon.',
  operators: 'Managing coupons, audits and dead letters.',
  service: 'Health, metrics and documentation of the service itself.',
} as const;

const bearer = (description: string) => ({ type: 'http' as const, scheme: 'bearer', description });

/** Who callers are, and how they show it. */
export const securitySchemes = {
  operator: bearer(
    'A key with the scope `admin` (for reading, `read` is enough): ADMIN_API_KEY, or one from `bun run keys create`.',
  ),
  backend: bearer('A key with the scope `issue`, of a backend that acts for its users.'),
  user: { ...bearer('A token of the user, valid only for that user.'), bearerFormat: 'JWT' },
};
