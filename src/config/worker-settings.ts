// worker-settings.ts -- The settings of workers: rows, reconciler, webhooks.

import { hostname } from 'node:os';
import { flag, integer, string } from './setting-types.ts';

export const workerSettings = {
  WORKER_NAME: string('name of the worker in the consumer group; unique among running workers', {
    default: hostname(),
    defaultName: 'the host name',
    pattern: '^[A-Za-z0-9_.-]{1,128}$',
  }),
  ROWS_PER_TRANSACTION_MAX: integer('maximum rows that the worker writes in one transaction', [5000, 1, 20_000]),
  ENTRIES_PER_READ_MAX: integer('maximum entries that the worker reads from a stream in one command', [500, 1, 10_000]),
  BLOCK_MS: integer(
    'how long a read waits for new entries, and so the delay until a stop is noticed',
    [1000, 10, 10_000],
  ),
  GATHER_MS: integer(
    'pause after a transaction, in which entries gather for the next: fewer, larger transactions',
    [50, 0, 1000],
  ),
  CLAIM_IDLE_MS: integer(
    'pending time after which a worker takes over an entry of another worker',
    [10_000, 100, 3_600_000],
  ),
  RECONCILE_MS: integer('interval of the comparison of Redis with MySQL', [10_000, 100, 3_600_000]),
  CLOSE_AFTER_MS: integer(
    'how long after its end a coupon is closed: its owners are removed from Redis',
    [86_400_000, 60_000, 2_592_000_000],
  ),
  WEBHOOK_PRIVATE: flag(
    '`on` allows webhooks on private networks, and without TLS on this machine: for development, or if operators may reach the network',
  ),
  WEBHOOK_MS_MAX: integer('maximum time for a webhook receiver to answer', [15_000, 100, 60_000]),
  WEBHOOK_EVENTS_MAX: integer('maximum events in one request to a webhook', [100, 1, 1000]),
  WEBHOOK_POLL_MS: integer('interval of polling for events to deliver', [1000, 10, 60_000]),
  WEBHOOK_RETRY_S_MAX: integer('maximum backoff before a failed delivery is retried', [3600, 1, 86_400]),
  WEBHOOK_FAILING_H_MAX: integer('hours of only failures after which a webhook is stopped', [72, 1, 720]),
  WEBHOOK_DAYS: integer(
    'days that events of use and results of deliveries are kept: more than a webhook is ever paused',
    [30, 1, 365],
  ),
  RETRY_MS_MAX: integer('maximum backoff between two attempts of the worker during an outage', [5000, 10, 60_000]),
};
