// keep-running.ts -- A private store that ends while `bun run dev` runs is started again, with its data; one that does not stay up is given up.

import { basename } from 'node:path';
import type { Say } from '../progress.ts';
import type { PrivateServer } from '../stack/private-server.ts';

/** One that ends sooner than this after it was started again is not worth another try. */
const UP_MS_MIN = 5_000;

export interface KeepRunningOptions {
  readonly name: string;
  readonly server: Pick<PrivateServer, 'ended' | 'restart' | 'port' | 'logFile'>;
  readonly say: Say;
  /** Called once, with a line for people, when the server is given up. */
  readonly giveUp: (reason: string) => void;
}

/** Watches until it is told to stop, which waits for a restart under way. */
export function keepRunning({ name, server, say, giveUp }: KeepRunningOptions): () => Promise<void> {
  let isStopping = false;
  let restarting: Promise<void> | undefined;
  const watch = async (): Promise<void> => {
    for (let restartedMs = Number.NEGATIVE_INFINITY; ; restartedMs = performance.now()) {
      const how = await server.ended;
      if (isStopping) return;
      const log = `its log is .local/${basename(server.logFile)}`;
      if (performance.now() - restartedMs < UP_MS_MIN) return giveUp(`${name} ended with ${how} again: ${log}`);
      say(`${name} ended with ${how}; it is started again with its data`);
      restarting = server.restart();
      await restarting;
      say(`${name} is back on port ${server.port}`);
    }
  };
  void watch().catch((error: unknown) => giveUp(error instanceof Error ? error.message : String(error)));
  return async () => {
    isStopping = true;
    await restarting?.catch(() => undefined);
  };
}
