// rush.ts -- One coupon, and every user at its door several times in the same instant: what breaks answers shows here, if anywhere.

import { waitUntil } from '../../tools/stack/wait-until.ts';
import type { Cluster } from '../chaos/cluster.ts';
import { creationOf, readCoupon } from '../chaos/crowd.ts';
import { Lane } from '../chaos/lane.ts';
import { isDrained, readRows } from '../chaos/run.ts';
import { seededRandom } from '../chaos/seeded-random.ts';
import { type HistoryFile, nowNs } from './history-file.ts';

const CALLERS = 48;
/** More than the largest coupon has pieces. */
const USERS = 700;
const ANSWER_MS_MAX = 10_000;
const DRAIN_MS_MAX = 20_000;
const endpoints = ['/v1/issue', '/v1/issue-async', '/v2/issue-async'] as const;

/** Sends every request once, then asks again for each user, and writes the history to its end. */
export async function rush(cluster: Cluster, historyFile: HistoryFile): Promise<void> {
  const port = cluster.apis[0]?.port ?? 0;
  const lanes = Array.from({ length: CALLERS }, (_, client) => new Lane(port, ANSWER_MS_MAX, client));
  const couponId = await createCoupon(lanes[0], historyFile);
  const ask = async (lane: Lane, userId: string, endpoint: string): Promise<void> => {
    const startNs = nowNs();
    const reply = await lane.ask({ method: 'POST', path: endpoint, body: { couponId, userId } });
    const { client } = lane;
    historyFile.request({ client, port, couponId, userId, endpoint, startNs, endNs: nowNs(), reply });
  };
  const users = Array.from({ length: USERS }, (_, i) => `user-${i}`);
  // Three requests of a user follow each other, two of them at one endpoint, so that they share a batch.
  const first = users.flatMap((userId, i) => [i, i, i + 1].map((at) => [userId, endpoints[at % 3] ?? ''] as const));
  // By now the coupon is sold out: who has it, and who has none, asks again.
  const again = users.map((userId, i) => [userId, endpoints[i % 3] ?? ''] as const);
  for (const requests of [first, again]) {
    const work = async (lane: Lane): Promise<void> => {
      for (let next = requests.shift(); next; next = requests.shift()) await ask(lane, ...next);
    };
    await Promise.all(lanes.map(work));
  }
  for (const lane of lanes) lane.close();
  await waitUntil('every accepted issue to be in MySQL', () => isDrained(cluster), { waitMsMax: DRAIN_MS_MAX });
  historyFile.rows(await readRows(cluster));
  historyFile.close();
}

async function createCoupon(lane: Lane | undefined, historyFile: HistoryFile): Promise<number> {
  const reply = await lane?.ask(creationOf('limited', seededRandom(1)));
  if (reply?.kind !== 'answer' || reply.status !== 201) throw new Error('the coupon could not be created');
  const coupon = readCoupon(reply.body);
  historyFile.coupon(coupon);
  return coupon.id;
}
