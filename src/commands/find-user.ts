// find-user.ts -- Entry of `bun run find-user`: the hash under which the request log has a user, by REQUEST_LOG_SECRET.

import { Value } from '@sinclair/typebox/value';
import { readConfig } from '../config/config.ts';
import { UserId } from '../coupon/ids.ts';
import { hashUser } from '../http/request-log/user-hash.ts';
import { OperatorError } from '../operator-error.ts';
import { runCommand, UsageError } from './command.ts';

const USAGE = `usage: bun run find-user USER   prints the value of \`user\` in the request log lines of this user

REQUEST_LOG_SECRET must be the same as in the API: grep -e "$(bun run --silent find-user kim)" api.log`;

await runCommand(USAGE, async ([userId, ...more]) => {
  if (userId === undefined || more.length > 0) throw new UsageError('exactly one user is needed');
  if (!Value.Check(UserId, userId)) throw new UsageError('this is not a valid user id');
  const { REQUEST_LOG_SECRET: secret } = readConfig(['REQUEST_LOG_SECRET']);
  if (secret === undefined) throw new OperatorError('REQUEST_LOG_SECRET is not set: it must be the same as in the API');
  console.log(hashUser(secret, userId));
});
