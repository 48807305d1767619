// access.ts -- Who may call a route, as its declaration says it: operators by a key, users by a token.

import type { Access } from '../http/openapi.ts';
import type { Scope } from './api-keys.ts';
import { type Authority, userMismatch } from './authority.ts';
import type { Caller } from './tokens.ts';

/** Operators with a key of this scope. */
export function operatorsWith(authority: Pick<Authority, 'guard'>, scope: Scope): Access {
  return { callers: ['operator'], refuse: authority.guard(scope) };
}

/**
 * The user whom the path names as `userId`, and keys of this scope, which act for every user. Callers without authority learn
 * nothing, since nothing is looked up for them.
 */
export function usersWith(authority: Pick<Authority, 'isOn' | 'admit'>, scope: 'read' | 'issue'): Access {
  return {
    callers: authority.isOn ? ['user', scope === 'read' ? 'operator' : 'backend'] : [],
    async refuse(request, { userId = null }) {
      const caller = await authority.admit(request, scope);
      if (caller instanceof Response) return caller;
      return mayActFor(caller, userId) ? null : userMismatch();
    },
  };
}

/** Whether a caller may act for a user; `userId` is null where a path cannot be decoded. */
export function mayActFor(caller: Caller, userId: string | null): boolean {
  return caller.userId === null || caller.userId === userId;
}
