// error-fields.test.ts -- What is logged of an error leads to its cause and holds nothing that a caller sent.

import { expect, test } from 'bun:test';
import { errorFields } from '../../src/http/error-fields.ts';

test('of our own errors everything is logged, outermost first', () => {
  const error = new RangeError('too far', { cause: Object.assign(new Error('refused'), { code: 'ECONNREFUSED' }) });
  expect(errorFields(error)).toEqual([
    { name: 'RangeError', message: 'too far', stack: expect.stringMatching(/^\s+at .*error-fields\.test\.ts/) },
    { name: 'Error', code: 'ECONNREFUSED', message: 'refused', stack: expect.stringMatching(/^\s+at /) },
  ]);
});

test('of errors around a statement or a command only names, codes and places are logged', () => {
  for (const name of ['sql', 'sqlMessage', 'query', 'params', 'command']) {
    const cause = Object.assign(new Error("Duplicate entry 'someone'"), { code: 'ER_DUP_ENTRY', [name]: 'someone' });
    const fields = errorFields(new Error('Failed query: someone', { cause }));
    expect(fields).toMatchObject([{ name: 'Error' }, { name: 'Error', code: 'ER_DUP_ENTRY' }]);
    expect(JSON.stringify(fields)).not.toContain('someone');
  }
});

test('whatever is thrown is logged in a bounded way', () => {
  const round = new Error('round');
  round.cause = round;
  expect(errorFields(round)).toHaveLength(5);
  expect(errorFields('someone')).toEqual([{ name: 'string' }]);
  expect(errorFields(null)).toEqual([{ name: 'object' }]);
  expect(errorFields(undefined)).toEqual([{ name: 'undefined' }]);
});
