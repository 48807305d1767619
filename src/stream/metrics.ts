// metrics.ts -- The metrics of the streams: how far MySQL is behind. Both processes read them, since the worker may be gone.

import { dynamicGauge, gauge } from '../telemetry/registry.ts';

/** As many as `PARTITIONS` may be. */
const PARTITIONS_MAX = 1024;

export function createStreamMetrics() {
  const perPartition = (name: string, help: string) => dynamicGauge(name, help, 'partition', PARTITIONS_MAX);
  return {
    unpersisted: perPartition('coupon_unpersisted_users', 'Users accepted in Redis and not yet in MySQL'),
    unpersistedMax: gauge(
      'coupon_unpersisted_users_max',
      'Unpersisted users of a partition beyond which requests are answered 503',
    ),
    oldestSeconds: perPartition(
      'coupon_oldest_unpersisted_seconds',
      'Age of the oldest entry of the stream, 0 if there is none',
    ),
    deadEntries: perPartition(
      'coupon_dead_entries',
      'Entries in the dead stream that need an operator, which those of a later release do not',
    ),
  };
}
