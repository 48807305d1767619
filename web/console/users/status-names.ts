// status-names.ts -- How the status of an issue that is a row is called.

export const statusNames = { ISSUED: 'isIssued', USED: 'isUsed', EXPIRED: 'isExpired', REVOKED: 'isRevoked' } as const;
