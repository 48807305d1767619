// bugs.ts -- Planted bugs: plausible mistakes, each as a change of the source, and the test that must fail.
//
// A test suite is believed only after it has caught planted bugs. Each `from` stands exactly once in its file: when the source
// moves on, the change no longer applies, and `mutation.test.ts` fails.

import { findNginx } from '../../tools/test-programs.ts';

/** One change of one file. */
export interface Change {
  /** From the root of the repository. */
  readonly file: string;
  /** Stands there exactly once. */
  readonly from: string;
  readonly to: string;
}

export interface PlantedBug {
  /** What is wrong, as a sentence. */
  readonly name: string;
  readonly changes: readonly Change[];
  /** The file of the test that must fail, and its name, without that of the group it is in. */
  readonly guard: readonly [file: string, test: string];
}

const scripts = 'src/stock/scripts';
const integration = 'test/integration';

export const plantedBugs: readonly PlantedBug[] = [
  {
    name: 'the feed answers rows that it read before its end',
    changes: [
      {
        file: 'src/issues/feed.ts',
        from: 'const again = below > after + 1 ? await readRows(database, couponId, after, limit + 1) : [];',
        to: 'const again = below > after + 1 ? rows : [];',
      },
    ],
    guard: [`${integration}/feed.test.ts`, 'what becomes a row while the end is looked for is on the page'],
  },
  {
    name: 'the feed passes a gap whose entry a worker may have in hand',
    changes: [
      {
        file: 'src/issues/settled-sequences.ts',
        from: 'return holdMs > 0 ? { below: gap, holdMs } : { below, holdMs: 0 };',
        to: 'return { below, holdMs: holdMs * 0 };',
      },
    ],
    guard: [
      `${integration}/feed.test.ts`,
      'an entry that a worker has in hand while Redis loses everything is not passed before it is written',
    ],
  },
  {
    name: 'the feed passes what waits for a worker',
    changes: [
      {
        file: 'src/issues/settled-sequences.ts',
        from: 'if (span.from <= gap && gap < span.to) return unsettled;',
        to: 'if (span.from <= gap && gap < span.from) return unsettled;',
      },
    ],
    guard: [`${integration}/feed.test.ts`, 'a page ends before an issue that is accepted and not yet a row'],
  },
  {
    name: 'the feed does not count the owners in Redis',
    changes: [
      {
        file: 'src/issues/settled-sequences.ts',
        from: 'return isUsable ? known === owners : known >= owners;',
        to: 'return isUsable ? known >= 0 : known >= owners;',
      },
    ],
    guard: [`${integration}/feed.test.ts`, 'what only the owners in Redis know is waited for until it is put back'],
  },
  {
    name: 'the stream is appended to outside the script',
    changes: [
      {
        file: 'src/stream/scripts/included/accept.lua',
        from: "    done = redis.pcall('XADD', KEYS[3], '*', 'v', version, 'c', coupon, 'e', epoch, 's', first, 't', now, 'p', endpoint, 'u', users)\n",
        to: '',
      },
      {
        file: 'src/issuing/scripted.ts',
        from: "        case 'decided':\n",
        to: `        case 'decided': {
          const winners = users.filter((_, i) => reply.outcomes[i]?.kind === 'issued');
          const first = reply.outcomes.find(({ kind }) => kind === 'issued')?.sequence;
          const entry = ['v', 1, 'c', couponId, 'e', reply.epoch, 's', first, 't', reply.acceptedMs, 'u', winners.join()];
          if (winners.length > 0) await redisStock.redis.xadd(redisStock.keysOf(couponId).stream, '*', ...entry);
        }\n`,
      },
    ],
    guard: [
      'test/store-outages/replies.test.ts',
      'a reply that is lost on its way from Redis: 503 from scripted, and a retry returns the sequence',
    ],
  },
  {
    name: 'entries are settled before their rows are committed',
    changes: [
      {
        file: 'workers/drain.ts',
        from: '  let written: Written;\n',
        to: `  let written: Written;
  await settleAll(dependencies, chunk.map(settledEntry), []);\n`,
      },
    ],
    guard: [`${integration}/worker.test.ts`, 'of MySQL drops nothing: it is tried again until it works'],
  },
  {
    name: 'the reconciler drops a state because of numbers alone',
    changes: [
      {
        file: 'workers/reconcile.ts',
        from: 'counted.unknown > 0 && (await lacksOwners(dependencies, coupon.id, seen.epoch));',
        to: 'counted.unknown > 0;',
      },
    ],
    guard: [
      `${integration}/recovery.test.ts`,
      'a user with a row and a dead letter under another sequence is known to Redis: the coupon is not rebuilt round after round',
    ],
  },
  {
    name: 'a server whose files run out goes on accepting',
    changes: [{ file: 'src/runtime/file-limit.ts', from: '    holder.refuse();\n', to: '' }],
    guard: [
      'test/http/files.test.ts',
      'while connections that never ask take all files no processor is used, and what is under way is answered',
    ],
  },
  {
    name: 'a server whose files run out keeps idle connections',
    changes: [{ file: 'src/runtime/file-limit.ts', from: '    holder.closeIdle();\n', to: '' }],
    guard: [
      'test/http/files.test.ts',
      'more callers than there are files are answered, though each keeps its connection',
    ],
  },
  {
    name: 'the group begins at `$`',
    changes: [{ file: 'workers/inbox.ts', from: "GROUP, '0', 'MKSTREAM'", to: "GROUP, '$', 'MKSTREAM'" }],
    guard: [`${integration}/worker.test.ts`, 'entries that were accepted before the first worker came become rows'],
  },
  {
    name: 'the ledger inserts with IGNORE',
    changes: [
      {
        file: 'src/ledger/insert.ts',
        from: '`INSERT INTO coupon_issues',
        to: '`INSERT IGNORE INTO coupon_issues',
      },
      { file: 'src/ledger/insert.ts', from: ' ON DUPLICATE KEY UPDATE date_used = date_used`', to: '`' },
    ],
    guard: [
      `${integration}/worker.test.ts`,
      'an entry that MySQL refuses is found among many, and alone becomes a dead letter',
    ],
  },
  {
    name: 'Redis keeps no append-only file',
    changes: [{ file: 'tools/stack/redis-server.ts', from: "appendonly: 'yes'", to: "appendonly: 'no'" }],
    guard: [
      `${integration}/restart.test.ts`,
      'a Redis that was killed has kept every accepted issue, and goes on under the same epoch',
    ],
  },
  {
    name: "a command is sent again, and the winner's own second request reads `duplicate`",
    changes: [
      {
        file: 'src/redis/connection.ts',
        from: '  autoResendUnfulfilledCommands: false,\n  maxRetriesPerRequest: 0,\n',
        to: '  autoResendUnfulfilledCommands: true,\n  maxRetriesPerRequest: null,\n',
      },
    ],
    guard: [
      'test/store-outages/replies.test.ts',
      'a reply that is lost on its way from Redis: 503 from scripted, and a retry returns the sequence',
    ],
  },
  {
    name: 'the combiner answers out of order',
    changes: [
      {
        file: 'src/issuing/combiner.ts',
        from: 'batch[i]?.resolve(result.results[i] as Result)',
        to: 'batch[i]?.resolve(result.results[batch.length - 1 - i] as Result)',
      },
    ],
    guard: [`${integration}/mixed.test.ts`, 'a coupon without limit is issued once to each of its users'],
  },
  {
    name: 'an opening reads the rows before the stream',
    changes: [
      {
        file: 'src/stream/accepted.ts',
        from: '  for await (const page of ownerPages(database, couponId, limit)) yield { owners: page, areRows: true };\n',
        to: '',
      },
      {
        file: 'src/stream/accepted.ts',
        from: '  for await (const part of waitingParts(redis, keys, couponId)) {\n    let owners',
        to:
          '  for await (const page of ownerPages(database, couponId, limit)) yield { owners: page, areRows: true };\n' +
          '  for await (const part of waitingParts(redis, keys, couponId)) {\n    let owners',
      },
    ],
    guard: [
      'test/store-outages/replies.test.ts',
      'entries that become rows while a coupon is being opened are not missed',
    ],
  },
  {
    name: 'a replay leaves an opening its lease',
    changes: [{ file: 'src/stream/scripts/replay.lua', from: "redis.call('DEL', KEYS[4])\n", to: '' }],
    guard: [
      `${integration}/recovery.test.ts`,
      'a dead letter that is replayed and buried again during an opening is not missed',
    ],
  },
  {
    name: 'discarding a dead letter keeps its users owners',
    changes: [
      {
        file: 'src/stream/scripts/discard.lua',
        from: "if #KEYS > 2 then redis.call('UNLINK', KEYS[3], KEYS[4]) end\n",
        to: '',
      },
    ],
    guard: [
      `${integration}/recovery.test.ts`,
      'discarding is atomic: a connection that breaks after it leaves no owner without an issue',
    ],
  },
  {
    name: 'a coupon is closed over its dead letters',
    changes: [
      {
        file: 'src/stock/closing.ts',
        from: '  if (await isAnyWaiting(redisStock.redis',
        to: '  if (await redisStock.redis.xlen(redisStock.keysOf(couponId).stream) > 0) return false;\n  if (epoch < 0 && await isAnyWaiting(redisStock.redis',
      },
    ],
    guard: [
      `${integration}/recovery.test.ts`,
      'a coupon with a dead letter is not closed, so that its winners keep what they were promised',
    ],
  },
  {
    name: 'what was accepted is read without the dead letters, and users who were answered have nothing',
    changes: [
      {
        file: 'src/stream/accepted.ts',
        from: 'return [read(stream), read(dead), read(stream)];',
        to: 'return [read(stream), read(stream)];',
      },
    ],
    guard: [
      `${integration}/accepted.test.ts`,
      'the status of a coupon that is over and whose state is lost is right about an issue that is only among the dead letters',
    ],
  },
  {
    name: 'a dead letter that is replayed between two readings is missed',
    changes: [
      {
        file: 'src/stream/accepted.ts',
        from: 'return [read(stream), read(dead), read(stream)];',
        to: 'return [read(stream), read(dead)];',
      },
    ],
    guard: [`${integration}/recovery.test.ts`, 'a dead letter that is replayed while the audit reads is not missing'],
  },
  {
    name: 'a dead letter that is replayed and buried again between two readings is missed',
    changes: [
      {
        file: 'src/stream/accepted.ts',
        from: '    if (after === before) return;\n',
        to: "    if (after !== '') return;\n",
      },
    ],
    guard: [
      `${integration}/recovery.test.ts`,
      'a dead letter that is replayed and buried again while the audit reads is not missing',
    ],
  },
  {
    name: 'an audit counts what was discarded while it read as lost',
    changes: [
      {
        file: 'src/operations/audit.ts',
        from: "seen.kind === 'open' && after.kind === 'open' && after.epoch === seen.epoch ? seen",
        to: "seen.kind === 'open' && after.kind !== null ? seen",
      },
    ],
    guard: [`${integration}/recovery.test.ts`, 'a dead letter that is discarded while the audit reads is not missing'],
  },
  {
    name: 'an opening goes on though MySQL lost its claim',
    changes: [
      {
        file: 'src/stock/opening.ts',
        from: "  return coupon?.stockHome === 'redis' && coupon.epoch === epoch ? coupon : null;\n",
        to: '  return epoch > 0 ? coupon : null;\n',
      },
    ],
    guard: [
      `${integration}/opening.test.ts`,
      'an opening whose claim a failover of MySQL lost counts what MySQL has issued since',
    ],
  },
  {
    name: 'a coupon that was put away over dead letters gives their pieces to others',
    changes: [
      {
        file: 'src/stock/restoring.ts',
        from: '  return (await isAnyWaiting(redis, keys, couponId)) ? ID_MAX : 0;\n',
        to: '  return (await isAnyWaiting(redis, keys, couponId)) ? 0 : 0;\n',
      },
    ],
    guard: [
      `${integration}/accepted.test.ts`,
      'issuing from MySQL is right about an issue that is only among the dead letters',
    ],
  },
  {
    name: 'a discarded dead letter is announced to nobody',
    changes: [
      {
        file: 'src/operations/dead-letters.ts',
        from: '      if (couponId !== undefined) await redis.publish(changesChannel(redis), String(couponId));\n',
        to: '      void changesChannel;\n',
      },
    ],
    guard: [`${integration}/recovery.test.ts`, 'a discarded dead letter ends a cached "sold out" in every process'],
  },
  {
    name: 'a worker settles renumbered issues before it drops their state',
    changes: [
      {
        file: 'workers/drain.ts',
        from: '  await dropAll(dependencies, [...written.renumbered, ...written.superseded]);\n',
        to: '',
      },
      {
        file: 'workers/drain.ts',
        from: '  await forgetStale(dependencies, written, deleted < own.length ? own : null);\n',
        to: `  await dropAll(dependencies, [...written.renumbered, ...written.superseded]);
  await forgetStale(dependencies, written, deleted < own.length ? own : null);\n`,
      },
    ],
    guard: [
      `${integration}/worker.test.ts`,
      'a worker that dies before it settles a renumbered issue has dropped the state that gave its sequence out twice',
    ],
  },
  {
    name: 'a worker believes a Redis that went back while it wrote',
    changes: [
      { file: 'workers/drain.ts', from: 'gone === null ? written.older : gone.flatMap(issuesOf)', to: 'written.older' },
    ],
    guard: [
      `${integration}/worker.test.ts`,
      'what a worker has in hand when Redis goes back under the same epoch is not given out again',
    ],
  },
  {
    name: 'an opening forgets the dead letters',
    changes: [
      {
        file: 'src/stream/accepted.ts',
        from: 'return [read(stream), read(dead), read(stream)];',
        to: 'return [read(stream)];',
      },
    ],
    guard: [
      `${integration}/opening.test.ts`,
      'dead letters keep their sequences and their stock, since they may be replayed',
    ],
  },
  {
    name: 'an opening forgets entries of a later version',
    changes: [
      {
        file: 'src/stream/entry.ts',
        from: '  const isDecodable =',
        to: "  if (!VERSIONS.has(value.get('v'))) return null;\n  const isDecodable =",
      },
    ],
    guard: [
      `${integration}/opening.test.ts`,
      'users of a pending or dead entry of a later version are owners: none is issued twice, no sequence repeats',
    ],
  },
  {
    name: 'an opening goes on although an entry does not say which user has which sequence',
    changes: [
      {
        file: 'src/stream/accepted.ts',
        from: "if ('undecodable' in held) throw new UndecodableEntryError(couponId, place);",
        to: "if ('undecodable' in held) return [];",
      },
    ],
    guard: [
      `${integration}/opening.test.ts`,
      'an entry (dead) that does not name its owners blocks its coupon alone, until it is gone',
    ],
  },
  {
    name: 'users of an entry of a later version are not counted off',
    changes: [{ file: 'workers/drain.ts', from: 'users: usersIn(fields) });', to: 'users: 0 });' }],
    guard: [
      `${integration}/worker.test.ts`,
      'users of an entry of a later version leave the count when it becomes a dead letter',
    ],
  },
  {
    name: 'an opening ends although its lease ran out',
    changes: [
      {
        file: `${scripts}/finish-opening.lua`,
        from: "if redis.call('GET', KEYS[3]) ~= ARGV[1] then return { 'superseded' } end\n",
        to: '',
      },
    ],
    guard: [`${integration}/opening.test.ts`, 'an opening whose lease expired changes nothing'],
  },
  {
    name: 'sequences that Redis lost count as issued forever',
    changes: [
      {
        file: 'src/stock/opening.ts',
        from: 'lastSequence(next, loaded.owners, coupon.totalQuantity)',
        to: '(coupon.totalQuantity ?? -1)',
      },
    ],
    guard: [
      `${integration}/opening.test.ts`,
      'lost sequences below others stay unused, and as many are added at the end',
    ],
  },
  {
    name: 'the fence of the lock is not checked',
    changes: [
      {
        file: `${scripts}/put.lua`,
        from: "if redis.call('GET', KEYS[5]) ~= ARGV[2] then return { 'lost' } end\n",
        to: '',
      },
    ],
    guard: [
      `${integration}/locked.test.ts`,
      'the fenced write itself does nothing without the lock, and nothing on an older read',
    ],
  },
  {
    name: 'the fenced write does not look whether others issued since the read',
    changes: [{ file: `${scripts}/put.lua`, from: 'or state[3] ~= ARGV[7] ', to: '' }],
    guard: [`${integration}/locked.test.ts`, 'when another issuer was faster, it decides again from what is then true'],
  },
  {
    name: 'the fenced write does not look how far the stock goes',
    changes: [
      { file: `${scripts}/put.lua`, from: "if last >= 0 and next - 1 > last then return { 'changed' } end\n", to: '' },
    ],
    guard: [
      `${integration}/locked.test.ts`,
      'when the total is just being lowered, it decides again by what may still be given',
    ],
  },
  {
    name: 'the epoch is ignored',
    changes: [{ file: `${scripts}/put.lua`, from: 'if state[1] ~= ARGV[5] or state[2]', to: 'if state[2]' }],
    guard: [`${integration}/locked.test.ts`, 'when the coupon was reopened, it decides again under the new epoch'],
  },
  {
    name: 'the counter is raised by rows sent rather than by rows inserted',
    changes: [
      {
        file: 'src/ledger/ledger.ts',
        from: 'if (inserted > 0) await raiseIssued(tx, [couponId], inserted);',
        to: 'await raiseIssued(tx, [couponId], issues.length);',
      },
    ],
    guard: [
      `${integration}/worker.test.ts`,
      'a worker that died between the commit and the settling writes nothing twice when it comes back',
    ],
  },
  {
    name: 'MySQL counts rows found instead of rows inserted',
    changes: [{ file: 'src/mysql/pool.ts', from: "flags: ['-FOUND_ROWS',", to: "flags: ['FOUND_ROWS'," }],
    guard: [`${integration}/worker.test.ts`, 'more rows than one statement may have are one transaction'],
  },
  {
    name: 'a connection whose transaction failed is used again',
    changes: [
      {
        file: 'src/mysql/database.ts',
        from: '      connection.destroy();\n      if (isDemoted',
        to: '      connection.release();\n      if (isDemoted',
      },
    ],
    guard: [
      'test/store-outages/replies.test.ts',
      'a transaction that failed leaves nothing behind that the next one could commit',
    ],
  },
  {
    name: 'the number of owners is not compared',
    changes: [
      {
        file: `${scripts}/included/usable-state.lua`,
        from: 'return owners == next - 1 - gap and owners or nil',
        to: 'return owners',
      },
    ],
    guard: ['test/store-outages/redis.test.ts', 'the owners alone missing: nothing is lost, and no request fails'],
  },
  {
    name: 'a state in a form of a later release is used',
    changes: [
      { file: `${scripts}/included/usable-state.lua`, from: '  if not isKnownForm() then return nil end\n', to: '' },
    ],
    guard: [
      `${integration}/opening.test.ts`,
      'a state that a later release wrote in another form is neither used nor rebuilt, and closes its coupon alone',
    ],
  },
  {
    name: 'a state in a form of a later release is rebuilt over',
    changes: [
      {
        file: `${scripts}/begin-opening.lua`,
        from: "if not isKnownForm() then return { 'unknown form' } end\n",
        to: '',
      },
    ],
    guard: [
      `${integration}/opening.test.ts`,
      'a state that a later release wrote in another form is neither used nor rebuilt, and closes its coupon alone',
    ],
  },
  {
    name: 'an opening replaces the state of a later release that came meanwhile',
    changes: [
      {
        file: `${scripts}/finish-opening.lua`,
        from: "if not isKnownForm() then return { 'superseded' } end\n",
        to: '',
      },
    ],
    guard: [
      `${integration}/opening.test.ts`,
      'a state that a later release wrote during an opening is not replaced by it',
    ],
  },
  {
    name: 'a statement that was already done when a migration was interrupted stays an error',
    changes: [{ file: 'src/mysql/migrations.ts', from: 'if (!isInDoubt) throw error;', to: 'throw error;' }],
    guard: [
      `${integration}/migrations.test.ts`,
      'after any statement, a migration that is repeated brings the same schema',
    ],
  },
  {
    name: 'a table of another application is taken for one of a migration',
    changes: [{ file: 'src/mysql/migrations.ts', from: 'const isInDoubt = i < begun;', to: 'const isInDoubt = true;' }],
    guard: [
      `${integration}/migrations.test.ts`,
      'a table of another application under one of our names stays an error, and stays theirs',
    ],
  },
  {
    name: 'the server that a state comes from is not compared',
    changes: [
      {
        file: `${scripts}/included/usable-state.lua`,
        from: 'if run ~= server then',
        to: 'if not run then',
      },
    ],
    guard: [
      `${integration}/restart.test.ts`,
      'a Redis restored from an old backup is rebuilt from the rows, and repeats no sequence',
    ],
  },
  ...(['take', 'look', 'put'] as const).map((script): PlantedBug => {
    return {
      name: `a promotion behind a standing connection is not noticed by ${script}`,
      changes: [{ file: `${scripts}/${script}.lua`, from: 'not isServer(', to: 'false and not isServer(' }],
      guard: [
        `${integration}/restart.test.ts`,
        'every script that decides, or reads the owners of a coupon, checks which server it runs on',
      ],
    };
  }),
  {
    name: 'an opener proves a state without its lease',
    changes: [
      {
        file: `${scripts}/prove-state.lua`,
        from: "if redis.call('GET', KEYS[2]) ~= ARGV[1] then return { 'superseded' } end\n",
        to: '',
      },
    ],
    guard: ['test/conformance/conformance.test.ts', 'an opener whose lease ran out does not prove a state'],
  },
  {
    name: 'discarding leaves an opening its lease',
    changes: [
      {
        file: 'src/stream/scripts/discard.lua',
        from: "redis.call('UNLINK', KEYS[3], KEYS[4])",
        to: "redis.call('UNLINK', KEYS[3])",
      },
    ],
    guard: [
      'test/conformance/conformance.test.ts',
      'discarding a dead letter ends the lease of an opening that has read the stream',
    ],
  },
  {
    name: 'a coupon goes back in time when its stock moves',
    changes: [{ file: `${scripts}/take.lua`, from: 'local now = nowMs(state[9])\n', to: 'local now = nowMs()\n' }],
    guard: [
      `${integration}/opening.test.ts`,
      'a coupon whose stock moves goes on by the clock of MySQL, which is 1500 ms ahead: it is neither closed again nor opened early',
    ],
  },
  {
    name: 'a Redis that takes over keeps the states of when it counted before',
    changes: [
      {
        file: 'src/installation/installation.ts',
        from: '  if (mark.isNew) await dropStates(redis);\n',
        to: '',
      },
    ],
    guard: [
      `${integration}/installation.test.ts`,
      'a Redis that takes over: processes on the former one accept nothing more, and none can start there',
    ],
  },
  {
    name: 'a Redis that took over since the backup of MySQL loses its states',
    changes: [
      {
        file: 'src/installation/installation.ts',
        from: '  if (mark.isNew) await dropStates(redis);\n',
        to: '  await dropStates(redis);\n',
      },
    ],
    guard: [
      `${integration}/installation.test.ts`,
      'a MySQL of before a Redis took over takes it as it is: what it alone knows is kept',
    ],
  },
  {
    name: 'a change of partitions marks Redis only when everything has moved',
    changes: [
      {
        file: 'src/installation/repartition.ts',
        from: "  await redis.hset(INSTALLATION_KEY, 'partitions', -(most + 1));\n",
        to: '',
      },
    ],
    guard: [
      `${integration}/installation.test.ts`,
      'a change of partitions that was interrupted lets no process start, and can be repeated in both directions',
    ],
  },
  {
    name: 'a Redis that was replaced goes on accepting',
    changes: [{ file: 'src/installation/installation.ts', from: '    refuseServer(redis, fault !== null);\n', to: '' }],
    guard: [
      `${integration}/installation.test.ts`,
      'a Redis that takes over: processes on the former one accept nothing more, and none can start there',
    ],
  },
  {
    name: 'connections to a server that is not the primary any more are used again',
    changes: [
      {
        file: 'src/mysql/database.ts',
        from: '      if (isDemoted(error)) database.demoted.beforeMs = performance.now();\n',
        to: '',
      },
    ],
    guard: [
      `${integration}/database.test.ts`,
      'a server that says it is not the primary (1290) gets no more work on any connection that was made before',
    ],
  },
  {
    name: 'a demoted server is read over connections that stayed there',
    changes: [
      { file: 'src/mysql/database.ts', from: "readAfter('START TRANSACTION READ WRITE')", to: "readAfter('BEGIN')" },
    ],
    guard: [
      `${integration}/demoted-primary.test.ts`,
      'what a user has is never read from a demoted primary at which connections stayed',
    ],
  },
  {
    name: 'a compound statement is believed as a whole',
    changes: [
      {
        file: 'src/mysql/read-then-write.ts',
        from: '        if (write.length > 0) expectDone(done, write);\n',
        to: '',
      },
    ],
    guard: [
      `${integration}/database.test.ts`,
      'is not believed when one of its statements did not affect the rows that it must',
    ],
  },
  {
    name: 'an opening takes a replica that is behind for the truth',
    changes: [
      {
        file: 'src/stock/opening.ts',
        from: '  if (loaded.rows < coupon.issuedQuantity)\n',
        to: '  if (loaded.rows < 0)\n',
      },
    ],
    guard: [`${integration}/opening.test.ts`, 'an opening that is given fewer rows than the coupon counts is not used'],
  },
  {
    name: 'a coupon is issued from a MySQL that went back to before its opening',
    changes: [
      {
        file: 'src/issuing/synchronous.ts',
        from: "  if (coupon.epoch < epochMin) return { write: [], result: 'behind' };\n",
        to: '',
      },
    ],
    guard: [
      `${integration}/restored-mysql.test.ts`,
      'a backup from before the opening: nothing is issued from MySQL meanwhile, and in the end exactly the total is',
    ],
  },
  {
    name: 'a worker that was held up writes what was discarded',
    changes: [{ file: 'src/stream/scripts/discard.lua', from: 'withdraw(KEYS[2], letter[2])\n', to: '' }],
    guard: [
      `${integration}/withdrawn.test.ts`,
      'a worker that was held up does not write what was discarded, whose sequences others were promised since',
    ],
  },
  {
    name: 'a worker does not ask whether an entry of an earlier opening was withdrawn',
    changes: [
      {
        file: 'workers/drain.ts',
        from: '() => writeEntries(database, entries, (older) => withdrawnAmong(dependencies, chunk, older)),',
        to: '() => writeEntries(database, entries),',
      },
    ],
    guard: [
      `${integration}/withdrawn.test.ts`,
      'nor an entry whose letter was replayed, became one again and was discarded then',
    ],
  },
  {
    name: 'what only a state of before a restart knows waits for a request',
    changes: [
      {
        file: 'workers/reconcile.ts',
        from: "  if (isOver || seen.kind === 'not open') {\n",
        to: "  if (!isOver && seen.kind === 'not open') return null;\n  if (isOver || seen.kind === 'not open') {\n",
      },
    ],
    guard: [
      `${integration}/restored-mysql.test.ts`,
      'issues that MySQL lost are written again although Redis restarted since, and nobody asks for the coupon',
    ],
  },
  {
    name: 'what Redis knows and MySQL lost is not written again',
    changes: [
      {
        file: 'workers/reconcile.ts',
        from: '  if (audit.missing > 0) observer.restored(coupon.id, await restoreLost(dependencies, coupon.id));\n',
        to: '',
      },
    ],
    guard: [
      `${integration}/restored-mysql.test.ts`,
      'half of the rows are gone: they are written again, each user under the number of the answer',
    ],
  },
  {
    name: 'what was written before a refused command stays',
    changes: [
      {
        file: 'src/stream/scripts/included/accept.lua',
        from: "    redis.call('HSET', KEYS[1], 'next', first)\n",
        to: '',
      },
    ],
    guard: [
      `${integration}/refused-commands.test.ts`,
      'a script that is refused one of its commands leaves everything as it was: take without XADD',
    ],
  },
  {
    name: 'the script writes before its last check',
    changes: [
      {
        file: `${scripts}/take.lua`,
        from: 'if next == first then return reply end\n',
        to: "if next == first then return reply end\nredis.call('HSET', KEYS[2], unpack(owners))\n",
      },
    ],
    guard: [
      `${integration}/worker.test.ts`,
      'beyond the bound of users who are not yet rows every issuer refuses before it decides, until they are rows',
    ],
  },
  {
    name: 'a user who occurs twice in a batch gets two',
    changes: [{ file: `${scripts}/take.lua`, from: ' or seen[user]', to: '' }],
    guard: ['test/contract/issuer.test.ts', 'gives a user who occurs twice in a batch one coupon'],
  },
  {
    name: 'an erased user is looked up by the id alone',
    changes: [
      {
        file: `${scripts}/take.lua`,
        from: 'tonumber(owned[i] or erased[i])',
        to: 'tonumber(owned[i])',
      },
    ],
    guard: [
      `${integration}/erasing.test.ts`,
      'does not get the coupon again, by any endpoint, also after Redis lost it',
    ],
  },
  {
    name: 'an opening takes the key of pseudonyms that it read before the owners',
    changes: [
      {
        file: 'src/stock/opening.ts',
        from: 'const { erasureKey } = claimed;',
        to: 'const { erasureKey } = coupon;',
      },
    ],
    guard: [
      `${integration}/erasing.test.ts`,
      'at every step of an erasure, and of an opening beside it, the user has the coupon',
    ],
  },
  {
    name: 'a change is made though the audit trail cannot be written',
    changes: [
      {
        file: 'src/auth/audit-trail.ts',
        from: '  await tx.insert(auditTrail).values({',
        to: '  void tx.insert(auditTrail).values({',
      },
    ],
    guard: [`${integration}/audit-trail.test.ts`, 'what cannot be recorded is not changed'],
  },
  {
    name: 'the end of the period is still within it',
    changes: [{ file: `${scripts}/take.lua`, from: 'if now >= tonumber(state[6])', to: 'if now > tonumber(state[6])' }],
    guard: [
      'test/contract/issuer.test.ts',
      'issues up to the last millisecond before the end, and not from the end on',
    ],
  },
  {
    name: 'MySQL issues although the stock is in Redis',
    changes: [
      {
        file: 'src/issuing/synchronous.ts',
        from: "  if (coupon.stockHome === 'redis') return { write: [], result: null };\n",
        to: '',
      },
    ],
    guard: [`${integration}/worker.test.ts`, 'the count of users who are not yet rows is exact, and ends at zero'],
  },
  {
    name: 'an edit does not invalidate the cached refusal',
    changes: [
      {
        file: 'src/issuing/refusal-cache.ts',
        from: '    this.#invalidations += 1;\n    this.#remove(couponId);\n    this.#forget(couponId);\n',
        to: '    void couponId;\n',
      },
    ],
    guard: ['test/unit/refusal-cache.test.ts', 'an invalidation removes the entry of its coupon alone'],
  },
  {
    name: 'a key is compared up to the first difference',
    changes: [
      {
        file: 'src/auth/api-keys.ts',
        from: 'timingSafeEqual(Buffer.from(key.digest), Buffer.from(digest))',
        to: 'key.digest === digest',
      },
    ],
    guard: ['test/http/constant-time-equal.test.ts', 'a key is accepted exactly when it says so'],
  },
  {
    name: 'a header of a token that was good before decides for the next',
    changes: [
      {
        file: 'src/auth/hs256.ts',
        from: 'header === last?.header ? last.signing',
        to: 'last ? last.signing',
      },
    ],
    guard: ['test/http/hs256.test.ts', 'no header that was good before makes another one good'],
  },
  {
    name: 'a cached sold out refuses owners too',
    changes: [
      {
        file: 'src/issuing/refusal-cache.ts',
        from: 'return entry.owners?.mayHave(userId) ? null : entry.refusal;',
        to: 'return entry.refusal;',
      },
    ],
    guard: [
      'test/unit/refusal-cache.test.ts',
      'of a sold-out coupon no owner is refused, since their answer is already issued',
    ],
  },
  {
    name: 'an outage of MySQL is taken for bad data',
    changes: [
      {
        file: 'workers/drain.ts',
        from: 'return !isDataFault(failure) && !(failure instanceof InvariantViolation);',
        to: 'return false;',
      },
    ],
    guard: [`${integration}/worker.test.ts`, 'of MySQL drops nothing: it is tried again until it works'],
  },
  {
    name: 'a worker that comes back does not look for its own unfinished entries',
    changes: [
      { file: 'workers/inbox.ts', from: "#ownAfter: string | null = '0';", to: '#ownAfter: string | null = null;' },
    ],
    guard: [`${integration}/worker.test.ts`, 'a worker that died before it wrote finds its entries when it comes back'],
  },
  {
    name: 'the entries of a dead worker are not claimed by another',
    changes: [{ file: 'workers/inbox.ts', from: ' ?? (await this.#claimed())', to: '' }],
    guard: [`${integration}/worker.test.ts`, 'entries of a worker that never comes back are taken over by another'],
  },
  {
    name: 'a consumer is removed with what is pending for it',
    changes: [
      {
        file: 'src/stream/scripts/remove-consumers.lua',
        from: 'if of.pending == 0 and of.idle',
        to: 'if of.idle',
      },
    ],
    guard: [
      `${integration}/workers.test.ts`,
      'a round removes the consumers of forty workers that are gone, but for the one with an entry pending',
    ],
  },
  {
    name: 'the request log names users',
    changes: [
      {
        file: 'src/http/request-log/request-observer.ts',
        from: 'const user = userId !== undefined && hashUser ? hashUser(userId) : undefined;',
        to: 'const user = hashUser ? userId : undefined;',
      },
    ],
    guard: [
      'test/http/request-log.test.ts',
      'other routes have lines too, by the pattern of their path, and so has what is no route',
    ],
  },
  {
    name: 'problems that were made without knowing the request do not name it',
    changes: [
      {
        file: 'src/http/envelope.ts',
        from: 'return isIdentified || type !== PROBLEM_TYPE ? answer : identified(answer, requestIdOf(request));',
        to: 'return isIdentified || type === PROBLEM_TYPE ? answer : identified(answer, requestIdOf(request));',
      },
    ],
    guard: ['test/http/request-ids.test.ts', 'every answer has an id, and every problem has it in its text too'],
  },
  {
    name: 'a log line that cannot be written is an error',
    changes: [
      {
        file: 'src/telemetry/log-sink.ts',
        from: "      return isFull(error) ? { rest } : 'failed';",
        to: '      throw error;',
      },
    ],
    guard: [
      'test/unit/log-sink.test.ts',
      'what a full disk takes no more is dropped and counted, and said once there is room',
    ],
  },
  {
    name: 'consumers of workers that are gone stay forever',
    changes: [
      {
        file: 'workers/reconcile.ts',
        from: 'await removeConsumers(redis, { keys, idleMs })',
        to: 'removeConsumers.length * idleMs * 0',
      },
    ],
    guard: [
      `${integration}/workers.test.ts`,
      'a round removes the consumers of forty workers that are gone, but for the one with an entry pending',
    ],
  },
  {
    name: 'an entry that is settled twice is counted off twice',
    changes: [
      {
        file: 'src/stream/scripts/settle.lua',
        from: "if redis.call('XDEL', KEYS[1], ARGV[i]) == 1 then",
        to: "if redis.call('XDEL', KEYS[1], ARGV[i]) >= 0 then",
      },
    ],
    guard: [
      `${integration}/worker.test.ts`,
      'between a settling and its reply: settling again counts nothing and buries nothing',
    ],
  },
  {
    name: 'sessions have the character set of the server',
    changes: [
      {
        file: 'src/mysql/pool.ts',
        from: "    'SET NAMES utf8mb4',\n",
        to: '',
      },
    ],
    guard: [
      `${integration}/mysql-preflight.test.ts`,
      'has sessions of utf8mb4, starts, and keeps every title as it was typed',
    ],
  },
  {
    name: 'text of people is escaped, which depends on the character set',
    changes: [{ file: 'src/mysql/pool.ts', from: 'values.map(safely) as', to: 'values as' }],
    guard: [`${integration}/mysql-preflight.test.ts`, 'takes no title for a statement, even behind such a proxy'],
  },
  {
    name: 'a Host that is none goes through to the routes',
    changes: [
      {
        file: 'src/http/envelope.ts',
        from: 'const known = withHost(request);',
        to: 'const known = withHost(request) ?? request;',
      },
    ],
    guard: ['test/http/serve.test.ts', 'the Host "x@y" is refused, and moves no path'],
  },
  {
    name: 'pages of other origins may use coupons while AUTH is off',
    changes: [{ file: 'src/app.ts', from: 'isAuthOn: dependencies.authority.isOn,', to: 'isAuthOn: true,' }],
    guard: ['test/http/envelope.test.ts', 'may change nothing while AUTH is off, and tools may'],
  },
  {
    name: 'unknown ids take connections from the issuers',
    changes: [
      {
        file: 'src/issuing/synchronous.ts',
        from: "if (!(typeof found === 'boolean' ? found : await found)) return users.map(() => refusal['not exist']);",
        to: 'void found;',
      },
    ],
    guard: [
      `${integration}/flood.test.ts`,
      'while 200 connections ask for random ids, issuing, status, readiness and revoking a key go on',
    ],
  },
  {
    name: 'keys and readiness wait behind operators',
    changes: [
      { file: 'src/server.ts', from: "throughPool(database, 'security')", to: "throughPool(database, 'general')" },
    ],
    guard: [
      `${integration}/flood.test.ts`,
      'while operators fill the general pool, issuing, readiness and revoking a key go on',
    ],
  },
  {
    name: 'refusals of coupons that do not exist evict those of coupons in a rush',
    changes: [
      { file: 'src/issuing/refusal-cache.ts', from: 'this.#absent.set(couponId,', to: 'this.#entries.set(couponId,' },
    ],
    guard: [
      'test/unit/refusal-cache.test.ts',
      'refusals of coupons that do not exist evict no other, and are as bounded',
    ],
  },
  {
    name: 'what was read before an edit is cached after it',
    changes: [
      {
        file: 'src/issuing/coupon-reader.ts',
        from: 'if (invalidations === this.#invalidations) {',
        to: 'if (invalidations >= 0) {',
      },
    ],
    guard: ['test/unit/coupon-reader.test.ts', 'what was read before an edit is not kept after it'],
  },
  {
    name: 'the issuers are answered by a query that began before they asked',
    changes: [
      { file: 'src/issuing/coupon-reader.ts', from: "const isRecent = pool === 'public' && ", to: 'const isRecent = ' },
    ],
    guard: [
      'test/unit/coupon-reader.test.ts',
      'a thousand who come together for one id cost one query, of the issuers two; who comes later costs another',
    ],
  },
  {
    name: 'an idempotency key is the same for every caller',
    changes: [{ file: 'src/stream/keys.ts', from: '`${keyDigest} ${userId}`', to: "''" }],
    guard: [
      `${integration}/idempotency.test.ts`,
      'a key belongs to its caller: under the same text another user, and another API key, ask for themselves',
    ],
  },
  {
    name: 'a request that cannot succeed leaves its key in Redis',
    changes: [{ file: 'src/issuing/idempotency.ts', from: 'pending, refusal === null)', to: 'pending, true)' }],
    guard: [`${integration}/idempotency.test.ts`, 'a request that cannot succeed leaves no key behind'],
  },
  {
    name: 'the keys of a caller are not counted',
    changes: [
      {
        file: 'src/issuing/scripts/note-key.lua',
        from: "if redis.call('HLEN', KEYS[1]) >= most then return { 'full' } end",
        to: '',
      },
    ],
    guard: [
      `${integration}/idempotency.test.ts`,
      'a caller has so many keys and no more, and each of them goes on being answered',
    ],
  },
  {
    name: 'a kept place is worth nothing to the listener that had it',
    changes: [{ file: 'src/issues/places.ts', from: 'if (token) this.#kept.get(token)?.();', to: '' }],
    guard: [
      'test/unit/places.test.ts',
      'a place that is kept is for the caller that shows its token, once, and counts until then',
    ],
  },
  {
    name: 'operators take the places of all others',
    changes: [
      {
        file: 'src/issues/places.ts',
        from: "if (kind === 'operator') {",
        to: "if (kind === 'operator' && name !== null) {",
      },
    ],
    guard: ['test/unit/places.test.ts', 'operators have places when all others are taken, and take none of them'],
  },
  {
    name: 'a coupon that is not announced can be read by its id',
    changes: [{ file: 'src/issues/drop-routes.ts', from: 'if (!coupon?.listed) return', to: 'if (!coupon) return' }],
    guard: [
      'test/http/listeners.test.ts',
      'a coupon that is not announced is there for operators alone, and for all others as if it were not',
    ],
  },
  {
    name: 'an issuer of public keys that is down is asked for every token',
    changes: [{ file: 'src/auth/tokens.ts', from: 'failed = { untilMs: elapsedMs() + pauseMs, error };', to: '' }],
    guard: ['test/http/tokens.test.ts', 'an issuer that answers an error is unavailable, and makes no token invalid'],
  },
  {
    name: 'a connection that has written nothing waits for replicas',
    changes: [
      {
        file: 'src/issuing/replicas.ts',
        from: "(await mark(node, { keys, server })) === 'marked'",
        to: "keys.stream !== ''",
      },
    ],
    guard: [`${integration}/replicas.test.ts`, 'batches that wait share a WAIT, and others are decided meanwhile'],
  },
  {
    name: 'what was issued before is named without waiting for replicas',
    changes: [
      {
        file: 'src/issuing/scripted.ts',
        from: "some((outcome) => 'sequence' in outcome)",
        to: "some(({ kind }) => kind === 'issued')",
      },
    ],
    guard: [
      `${integration}/replicas.test.ts`,
      'nothing is answered that no replica has, also not what was issued before, by any endpoint',
    ],
  },
  {
    name: 'the locked issuer answers without waiting for replicas',
    changes: [
      { file: 'src/issuing/locked.ts', from: '      if (server !== null)\n', to: '      if (server === null)\n' },
    ],
    guard: [
      `${integration}/replicas.test.ts`,
      'nothing is answered that no replica has, also not what was issued before, by any endpoint',
    ],
  },
  {
    name: 'the worker writes rows of entries that no replica has',
    changes: [
      {
        file: 'workers/inbox.ts',
        from: '      if (messages.length > 0) await this.#confirm?.(this.#keys, this.#server);\n',
        to: '',
      },
    ],
    guard: [`${integration}/replicas.test.ts`, 'a worker writes no row of an entry that no replica has'],
  },
  {
    name: 'a state that lacks what is offered is proven',
    changes: [
      {
        file: 'src/stock/opening.ts',
        from: ' && (await lacksAny(redisStock, lease.keys, offered)))',
        to: ' && offered.has(String(await lacksAny(redisStock, lease.keys, offered))))',
      },
    ],
    guard: [
      `${integration}/replicas.test.ts`,
      'what a promoted replica lacks is put back by all processes that remember it, before others get it',
    ],
  },
  {
    name: 'an opening does not wait for what other processes offer',
    changes: [
      {
        file: 'src/stock/offers.ts',
        from: 'while ((await countUnoffered(redis, { keys, server, aliveMs: ALIVE_MS })) > 0 &&',
        to: 'while ((await countUnoffered(redis, { keys, server, aliveMs: ALIVE_MS })) > 1e9 &&',
      },
    ],
    guard: [
      `${integration}/replicas.test.ts`,
      'what a promoted replica lacks is put back by all processes that remember it, before others get it',
    ],
  },
  {
    name: 'a worker forgets what it has in hand',
    changes: [{ file: 'workers/partition.ts', from: "if (server !== '') answers", to: "if (server === '') answers" }],
    guard: [`${integration}/replicas.test.ts`, 'a worker offers what it has in hand'],
  },
  {
    name: 'answers that a failover broke are not counted',
    changes: [{ file: 'src/stock/lost-answers.ts', from: '  if (broken > 0) {', to: '  if (broken < 0) {' }],
    guard: [
      `${integration}/replicas.test.ts`,
      'without either, an audit says how many answers were lost, and the stock is exact all the same',
    ],
  },
  {
    name: 'terms are edited without taking the stock out of Redis first',
    changes: [
      {
        file: 'src/stock/editing.ts',
        from: "if (coupon.stockHome === 'mysql') return null;\n  const removed",
        to: "if (coupon.stockHome === 'mysql' || coupon.endMs > 0) return null;\n  const removed",
      },
    ],
    guard: [
      `${integration}/edits.test.ts`,
      'terms are fixed from the first issue on, by scripted, also before it is a row',
    ],
  },
  {
    name: 'the stock of a coupon that MySQL does not have goes with what was promised',
    changes: [
      {
        file: `${scripts}/hold.lua`,
        from: "if next == 1 and redis.call('HLEN', KEYS[2]) == 0 then",
        to: 'if next then',
      },
    ],
    guard: [
      `${integration}/orphans.test.ts`,
      'a coupon that was deleted by SQL is issued by no endpoint after a round, and keeps what it promised until its row is back',
    ],
  },
  {
    name: 'the stock of a coupon that MySQL does not have gets another version',
    changes: [
      {
        file: `${scripts}/hold.lua`,
        from: "'until', next - 1)",
        to: "'until', next - 1, 'version', 99)",
      },
    ],
    guard: [
      `${integration}/orphans.test.ts`,
      'a coupon that was deleted by SQL is issued by no endpoint after a round, and keeps what it promised until its row is back, and Redis was restarted',
    ],
  },
  {
    name: 'a new coupon gets an id under which Redis has owners',
    changes: [{ file: 'src/operations/orphans.ts', from: '(await countOwners(couponId)) > 0 || ', to: '' }],
    guard: [
      `${integration}/orphans.test.ts`,
      'an id under which Redis has a promise (owners) is given to no other coupon',
    ],
  },
  {
    name: 'an archived coupon is opened again',
    changes: [
      { file: 'src/stock/opening.ts', from: '  if (coupon.archivedMs !== null) return refusal.ended;\n', to: '' },
    ],
    guard: [
      `${integration}/archive.test.ts`,
      'an archived coupon is prolonged, opened and issued by no endpoint, not even after its period was changed by SQL',
    ],
  },
  {
    name: 'an issue is used while its coupon is archived',
    changes: [
      {
        file: 'src/issues/changes.ts',
        from: "if (coupon.archivedMs !== null) return { kind: 'archived' };",
        to: "if (coupon.archivedMs === 0) return { kind: 'archived' };",
      },
    ],
    guard: [`${integration}/archive.test.ts`, 'what is used while it is archived is used in the file, or was refused'],
  },
  ...changeBugs(),
  {
    name: 'a command that a node of a cluster did not answer is sent again',
    changes: [
      {
        file: 'src/redis/cluster.ts',
        from: "if (word === 'TRYAGAIN') return",
        to: "if (word === 'TRYAGAIN' || error.name !== 'ReplyError') return",
      },
    ],
    guard: [`${integration}/cluster.test.ts`, 'a command without a reply is not sent again'],
  },
  {
    name: 'a node of a cluster that is gone ends the round of the reconciler',
    changes: [
      { file: 'workers/round-parts.ts', from: 'if (!isCluster(redis)) throw fault;', to: 'if (redis) throw fault;' },
    ],
    guard: [
      `${integration}/cluster.test.ts`,
      'a round of the reconciler does the work of all nodes but the one that is gone',
    ],
  },
  {
    name: 'the replicas of any node of a cluster are waited for',
    changes: [{ file: 'src/issuing/replicas.ts', from: 'await node.wait(', to: 'await redis.wait(' }],
    guard: [
      `${integration}/cluster-replicas.test.ts`,
      'a coupon is answered once a replica of its own node has it; a node without replicas holds up no other',
    ],
  },
  {
    name: 'an "already issued" of `POST /v1/issue` counts as no answer',
    changes: [
      {
        file: 'src/stock/recent-answers.ts',
        from: 'acceptedMs: 0, isPromised: true }',
        to: 'acceptedMs: 0, isPromised }',
      },
    ],
    guard: [
      'test/unit/recent-answers.test.ts',
      'only who has a sequence is an owner: issued now or before, and "already issued" is an answer',
    ],
  },
  {
    name: 'a change of partitions forgets what a failover lost',
    changes: [{ file: 'src/installation/repartition.ts', from: '  await moveLost(redis, partitions);\n', to: '' }],
    guard: [
      `${integration}/installation.test.ts`,
      'the number of partitions is changed with nothing lost: what is unwritten refuses, dead letters move',
    ],
  },
  {
    name: 'what was discarded is offered again',
    changes: [{ file: 'src/stream/scripts/discard.lua', from: 'if #ARGV > 2 then', to: 'if #ARGV > 2e9 then' }],
    guard: [
      `${integration}/replicas.test.ts`,
      'what an operator discarded is not put back, and the user who got its sequence since keeps it',
    ],
  },
  {
    name: 'a process that stops does not count what it has just found to be lost',
    changes: [{ file: 'src/wiring/offering.ts', from: '      await comparing;\n', to: '' }],
    guard: [
      `${integration}/replicas.test.ts`,
      'without either, an audit says how many answers were lost, and the stock is exact all the same',
    ],
  },
  ...codeBugs(),
  {
    name: 'a webhook receives a row while one with a lower sequence may still appear',
    changes: [
      {
        file: 'workers/webhook-reach.ts',
        from: 'const certain = last ?? after;',
        to: 'const certain = last ?? (await feed.highest(couponId));',
      },
    ],
    guard: [`${integration}/webhooks.test.ts`, 'a row is not sent while one with a lower sequence may still appear'],
  },
  {
    name: 'events of the outbox are read by their ids, which commit in another order',
    changes: [
      {
        file: 'src/webhooks/outbox.ts',
        from: 'const position = sql`${last.position - ids.length} + FIELD(${outbox.id}, ${sql.raw(ids.join())})`;',
        to: 'const position = sql`${outbox.id}`;',
      },
    ],
    guard: [`${integration}/webhooks.test.ts`, 'an event whose transaction commits late is not skipped'],
  },
  {
    name: 'a use is no event',
    changes: [
      {
        file: 'src/issues/changes.ts',
        from: '  await recordEvent(tx, {',
        to: "  if (change.kind !== 'use') await recordEvent(tx, {",
      },
    ],
    guard: [
      `${integration}/webhooks.test.ts`,
      'every event arrives, signed, in order, an issue before its use, and none that did not happen',
    ],
  },
  {
    name: 'a use is committed before its event is added',
    changes: [
      {
        file: 'src/issues/changes.ts',
        from: '  await recordEvent(tx, {',
        to: '  await tx.execute(sql`COMMIT`);\n  await recordEvent(tx, {',
      },
    ],
    guard: [
      'test/chaos/crashes.test.ts',
      'an API that dies between a change and its event leaves a use with its event or neither, and a retry leads to one of each',
    ],
  },
  {
    name: 'a request that failed is not sent again',
    changes: [{ file: 'src/webhooks/delivering.ts', from: "      return 'failed';\n", to: '' }],
    guard: [
      `${integration}/webhooks.test.ts`,
      'what fails is sent again, before anything that follows it, and the failures end with the first success',
    ],
  },
  {
    name: 'every worker delivers',
    changes: [
      {
        file: 'workers/webhooks.ts',
        from: 'if (!(await renew(database, state))) return observer.webhooks([]);',
        to: 'await renew(database, state); state.heldUntilMs = performance.now() + state.leaseMs;',
      },
    ],
    guard: [`${integration}/webhooks.test.ts`, 'of several workers one delivers; when it stops, another one does'],
  },
  {
    name: 'a name of a webhook may lead to a private address',
    changes: [
      {
        file: 'src/webhooks/target.ts',
        from: 'if (!isPrivateAllowed && addresses.some(({ address }) => !isPublicAddress(address)))',
        to: 'if (!isPrivateAllowed && !addresses.some(({ address }) => isPublicAddress(address) || address !== host))',
      },
    ],
    guard: [
      'test/unit/webhook-target.test.ts',
      'a name is refused if any of its addresses is private, whatever it was before',
    ],
  },
  // Only where there is an nginx to run them.
  ...(findNginx() === undefined ? [] : proxyBugs()),
];

function changeBugs(): PlantedBug[] {
  const file = 'src/issues/changes.ts';
  const pairs = `${integration}/issue-changes.test.ts`;
  return [
    {
      name: 'an issue is changed by what was read without its lock',
      changes: [
        { file, from: "\n    .for('update');", to: ';' },
        {
          file,
          from: 'row.usedMs === null ? isNull(couponIssues.dateUsed) : isNotNull(couponIssues.dateUsed),',
          to: '',
        },
        { file, from: '        isNull(couponIssues.dateRevoked),\n', to: '' },
      ],
      guard: [pairs, 'of issues that are issued, while the worker writes their rows again'],
    },
    {
      name: 'an undo takes back the use for another order',
      changes: [
        { file, from: "return change.reference === row.reference ? 'done'", to: "return row.usedMs > 0 ? 'done'" },
      ],
      guard: [pairs, 'of issues that are used A, while the worker writes their rows again'],
    },
    {
      name: 'the audit trail knows nothing of a use that is undone',
      changes: [
        {
          file,
          from: "if (change.kind !== 'use') await recordChange",
          to: "if (change.kind === 'revoke') await recordChange",
        },
      ],
      guard: [pairs, 'of issues that are used A, while the worker writes their rows again'],
    },
    {
      name: 'the end of a day is taken for that of the half hour after it',
      changes: [
        {
          file: 'src/coupon/time-zone.ts',
          from: 'while (dateOf(lastMs) >= next) {',
          to: 'while (dateOf(lastMs) > next) {',
        },
      ],
      guard: [
        'test/unit/time-zone.test.ts',
        'in every zone a day ends where its last instant is followed by a later day, and does not come back',
      ],
    },
  ];
}

/** Of codes. */
function codeBugs(): PlantedBug[] {
  const [pattern, codes] = ['test/codes/pattern.test.ts', 'test/codes/codes.test.ts'];
  const importing = 'src/codes/importing.ts';
  return [
    {
      name: 'the characters of a code have no weights',
      changes: [{ file: 'src/codes/pattern.ts', from: 'const WEIGHT = 3;', to: 'const WEIGHT = 1;' }],
      guard: [pattern, 'no single wrong character and no exchange of neighbours gives a code of any coupon'],
    },
    {
      name: 'a code of another beginning with the same value is taken',
      changes: [{ file: 'src/codes/pattern.ts', from: ' || !code.startsWith(beginning)', to: '' }],
      guard: [pattern, 'no single wrong character and no exchange of neighbours gives a code of any coupon'],
    },
    {
      name: 'codes of uploads that are not complete are found',
      changes: [
        {
          file: 'src/codes/codes.ts',
          from: '  eq(codeImports.complete, true),\n);\n\n/** By coupon',
          to: ');\n\n/** By coupon',
        },
      ],
      guard: [codes, 'of a process that was killed nothing is shown, and what it left is removed'],
    },
    {
      name: 'two uploads to one coupon both become complete',
      changes: [{ file: importing, from: ' || (await countCodes(tx, couponId)) !== after)', to: ')' }],
      guard: [
        codes,
        'of uploads to one coupon at the same time one succeeds; one code goes to at most one of two coupons',
      ],
    },
    {
      name: 'an upload goes on after it was taken for abandoned',
      changes: [
        { file: importing, from: '  if (affectedRows !== 1) throw new Abandoned();\n', to: '  void affectedRows;\n' },
      ],
      guard: [codes, 'an upload that stood still for too long adds nothing, whatever of it is left'],
    },
    {
      name: 'a total may exceed the codes',
      changes: [{ file: 'src/codes/code-tables.ts', from: 'total <= codes', to: 'total >= 0' }],
      guard: [codes, 'the total never exceeds the codes'],
    },
  ];
}

function proxyBugs(): PlantedBug[] {
  const guard = 'test/network/nginx.test.ts';
  return [
    {
      name: 'the proxy has the connections that nginx has by default',
      changes: [
        { file: 'deploy/compose/nginx.conf', from: 'worker_connections 16384;', to: 'worker_connections 1024;' },
      ],
      guard: [guard, 'a crowd of 3,000 behind one address is let in, each on a connection of its own'],
    },
    {
      name: 'the proxy gives up a connection before the system tries it again',
      changes: [
        { file: 'deploy/compose/proxy.conf', from: 'proxy_connect_timeout 5s;', to: 'proxy_connect_timeout 1s;' },
      ],
      guard: [guard, 'a stall of both APIs costs time, and nobody their answer'],
    },
    {
      name: 'the proxy lets a backslash through, which moves the path past its rules',
      changes: [{ file: 'deploy/compose/nginx.conf', from: '~\\x5c  bad;', to: '~\\x5c  fine;' }],
      guard: [guard, 'no Host and no target moves a path past a rule'],
    },
    {
      name: 'the proxy answers an oversized header with a page of its own',
      changes: [{ file: 'deploy/compose/proxy.conf', from: ' 431 494 ', to: ' 431 ' }],
      guard: [guard, 'a header that is too large is answered by a problem document'],
    },
  ];
}
