// Shows that everything one decision touches is in one Cluster slot, and that no two things share a name.
import { expect, test } from 'bun:test';
import fc from 'fast-check';
import { ID_MAX } from '../../src/coupon/coupon.ts';
import { couponKeys, loadingKey, partitionKeys, partitionOf } from '../../src/stream/keys.ts';

const SLOTS = 16_384;
const couponId = fc.integer({ min: 1, max: ID_MAX });
const partitions = fc.integer({ min: 1, max: 1024 });

/** The slot of a key, as the specification of Redis Cluster has it: CRC16 (XMODEM) of what stands in the first braces. */
function slotOf(key: string): number {
  const tag = /^[^{]*\{([^}]+)\}/.exec(key)?.[1] ?? key;
  let crc = 0;
  for (const byte of Buffer.from(tag)) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit++) crc = ((crc << 1) ^ (crc & 0x8000 ? 0x1021 : 0)) & 0xffff;
  }
  return crc % SLOTS;
}

test('the slots are computed as Redis does', () => {
  // From the specification, and by CLUSTER KEYSLOT.
  expect(slotOf('123456789')).toBe(0x31c3 % SLOTS);
  expect(slotOf('{user1000}.following')).toBe(slotOf('{user1000}.followers'));
  expect(slotOf('foo')).toBe(12_182);
});

test('all keys of a coupon, with those of its partition, are in one slot', () => {
  fc.assert(
    fc.property(couponId, partitions, (id, count) => {
      const keys = couponKeys(id, count);
      const all = [...Object.values<string>({ ...keys }), loadingKey(keys, 'a-token')];
      expect(all).toHaveLength(9);
      expect(new Set(all.map(slotOf)).size).toBe(1);
    }),
  );
});

test('a coupon has the keys of its partition', () => {
  fc.assert(
    fc.property(couponId, partitions, (id, count) => {
      const partition = partitionOf(id, count);
      expect(partition).toBeGreaterThanOrEqual(0);
      expect(partition).toBeLessThan(count);
      expect(couponKeys(id, count)).toMatchObject(partitionKeys(partition));
    }),
  );
});

test('no two things of two coupons share a key, except those of their partition', () => {
  fc.assert(
    fc.property(couponId, couponId, partitions, (one, other, count) => {
      fc.pre(one !== other);
      const shared = Object.values<string>({ ...partitionKeys(partitionOf(one, count)) });
      const own = (id: number) => {
        const keys = couponKeys(id, count);
        return [...Object.values<string>({ ...keys }), loadingKey(keys, 'a-token')].filter(
          (key) => !shared.includes(key),
        );
      };
      expect(new Set(own(one)).size).toBe(5);
      expect(new Set(own(one)).isDisjointFrom(new Set(own(other)))).toBe(true);
    }),
  );
});

test('two openings of a coupon gather under different keys', () => {
  const keys = couponKeys(7, 4);
  expect(loadingKey(keys, 'one')).not.toBe(loadingKey(keys, 'two'));
});

test('partitions are spread over many slots', () => {
  const slots = Array.from({ length: 16 }, (_, partition) => slotOf(partitionKeys(partition).stream));
  expect(new Set(slots).size).toBe(16);
});

test('the names are these: a change would lose what is in Redis', () => {
  expect(couponKeys(6, 4)).toEqual({
    stream: 'issues:{2}',
    dead: 'issues:{2}:dead',
    unpersisted: 'issues:{2}:unpersisted',
    withdrawn: 'issues:{2}:withdrawn',
    state: 'coupon:{2}:6:state',
    owners: 'coupon:{2}:6:owners',
    opening: 'coupon:{2}:6:opening',
    lock: 'coupon:{2}:6:lock',
  });
});
