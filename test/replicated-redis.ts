// replicated-redis.ts -- A primary of Redis with replicas whose links can be cut, behind one address that follows a failover.

import { join } from 'node:path';
import type { PrivateServer } from '../tools/stack/private-server.ts';
import { startRedisServer } from '../tools/stack/redis-server.ts';
import { eventually } from './eventually.ts';
import { connectTo } from './redis-database.ts';
import { openTcpProxy, type TcpProxy } from './tcp-proxy.ts';

export interface ReplicatedRedis extends AsyncDisposable {
  /** Where the primary is, whichever server that is. */
  readonly address: TcpProxy;
  /** The primary first. */
  readonly members: readonly Member[];
  /** No replica gets anything any more. */
  cutLinks(): void;
  /** Ends the primary with kill -9, promotes the replica that has most, and leads the address to it. The others follow it. */
  failOver(): Promise<void>;
  /** The primary of before comes back as a replica. */
  rejoin(): Promise<void>;
}

interface Member {
  readonly server: PrivateServer;
  /** From it to the primary: what is written while it is cut arrives only if that primary outlives it. */
  readonly link: TcpProxy;
}

/** Starts the servers, and waits until the replicas follow. */
export async function startReplicatedRedis(
  folder: string,
  { replicas, settings = {} }: { readonly replicas: number; readonly settings?: Record<string, string> },
): Promise<ReplicatedRedis> {
  // By default a primary waits for more replicas before it sends the first its data.
  const all = { ...settings, 'repl-diskless-sync-delay': '0' };
  const starting = Array.from({ length: replicas + 1 }, (_, i) =>
    startRedisServer({ folder: join(folder, `redis-${i}`), settings: all }),
  );
  const servers = await Promise.all(starting);
  const [first] = servers;
  if (!first) throw new Error('there is no server');
  const address = await openTcpProxy(first.url);
  const members = await Promise.all(servers.map(async (server) => ({ server, link: await openTcpProxy(first.url) })));
  await Promise.all(members.slice(1).map(follow));
  let former: Member | undefined;
  return {
    address,
    members,
    cutLinks() {
      for (const { link } of members) link.cut();
    },
    async failOver() {
      address.cut();
      former = members.shift();
      await former?.server.kill();
      const offsets = await Promise.all(members.map(offsetOf));
      const most = offsets.indexOf(Math.max(...offsets));
      const [chosen] = members.splice(most, 1);
      if (!former || !chosen) throw new Error('there is no replica to promote');
      await command(chosen, (redis) => redis.replicaof('NO', 'ONE'));
      members.unshift(chosen);
      members.push(former);
      for (const { link } of members) {
        link.redirect(chosen.server.url);
        link.restore();
      }
      address.redirect(chosen.server.url);
      address.restore();
    },
    async rejoin() {
      await former?.server.restart();
      await Promise.all(members.slice(1).map(follow));
    },
    async [Symbol.asyncDispose]() {
      await address[Symbol.asyncDispose]();
      await Promise.all(members.map(({ link }) => link[Symbol.asyncDispose]()));
      await Promise.all(members.map(({ server }) => server.stop()));
    },
  };
}

/** Makes a server a replica, and waits until it has what the primary has. */
async function follow(member: Member): Promise<void> {
  await command(member, (redis) => redis.replicaof('127.0.0.1', member.link.port));
  await eventually('the replica to follow', async () =>
    /master_link_status:up/.test(await command(member, (redis) => redis.info('replication'))),
  );
}

async function offsetOf(member: Member): Promise<number> {
  const information = await command(member, (redis) => redis.info('replication'));
  return Number(/^slave_repl_offset:(\d+)/m.exec(information)?.[1] ?? 0);
}

async function command<Result>(
  { server }: Member,
  run: (redis: Awaited<ReturnType<typeof connectTo>>) => Promise<Result>,
): Promise<Result> {
  const redis = await connectTo(server.url);
  try {
    return await run(redis);
  } finally {
    redis.disconnect();
  }
}
