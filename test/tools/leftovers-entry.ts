// leftovers-entry.ts -- A run that waits to be ended: prints its folder and the pid of its Redis, each on a line.

import { rmSync } from 'node:fs';
import { cleanUpOnSignals } from '../../tools/stack/cleanup.ts';
import { tempFolder } from '../../tools/leftovers.ts';
import { startRedisServer } from '../../tools/stack/redis-server.ts';

const cleanup = cleanUpOnSignals({ code: 130, words: 'Stopped.' });
const folder = tempFolder('coupon-left-');
cleanup.add(() => rmSync(folder, { recursive: true, force: true }));
const redis = await startRedisServer({ folder });
cleanup.add(() => redis.stop());
process.stdout.write(`${folder}\n${redis.pid}\n`);
