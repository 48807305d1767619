// letter-texts.ts -- What the page of dead letters says, in each language.

const en = {
  deadWords:
    'Accepted issues that could not be written. Replay them when the cause is gone, or discard them permanently.',
  noDead: 'There are none. Everything that was accepted is on its way or in MySQL.',
  deadMore: 'Only the first are shown.',
  reason: 'Reason',
  users: 'Users',
  sequences: 'Sequences',
  replay: 'Replay',
  discard: 'Discard',
  replayed: 'It is in the stream again.',
  discarded: 'It is discarded.',
  discardSure:
    'Discard this dead letter? Its users received an answer that they have the coupon, and it will never be written. Its pieces are stock again.',
  unreadable: 'cannot be read',
  deadCount: 'Dead letters: {count}',
  letterContent: 'Users and raw entry',
  rawEntry: 'Entry {id} as it stands in Redis',
  whyNoReplay: 'This release cannot read it, so it cannot be replayed. A later release may.',
  replayAll: 'Replay all',
  replayingAll: 'Replaying…',
  replayAllSure: 'Replay every dead letter that this release can read? Those whose cause is not gone come back.',
  replayedAll: '{count} are in the stream again.',
};

const ko: Record<keyof typeof en, string> = {
  deadWords: '승인되었지만 저장하지 못한 발급입니다. 원인을 해결한 뒤 다시 처리하거나, 영구적으로 버리세요.',
  noDead: '저장 실패 항목이 없습니다. 승인된 발급은 모두 저장되었거나 저장되는 중입니다.',
  deadMore: '처음 일부만 표시합니다.',
  reason: '이유',
  users: '사용자',
  sequences: '순번',
  replay: '다시 처리',
  discard: '버리기',
  replayed: '스트림에 다시 넣었습니다.',
  discarded: '버렸습니다.',
  discardSure:
    '이 항목을 버릴까요? 사용자는 이미 쿠폰을 받았다는 응답을 받았지만 영구적으로 저장되지 않습니다. 수량은 다시 재고가 됩니다.',
  unreadable: '읽을 수 없음',
  deadCount: '저장 실패 항목: {count}',
  letterContent: '사용자와 원본 항목',
  rawEntry: 'Redis에 있는 원본 항목 {id}',
  whyNoReplay: '이 버전에서 읽을 수 없어 다시 처리할 수 없습니다. 이후 버전에서는 가능할 수 있습니다.',
  replayAll: '모두 다시 처리',
  replayingAll: '다시 처리하는 중…',
  replayAllSure:
    '이 버전에서 읽을 수 있는 항목을 모두 다시 처리할까요? 원인이 남아 있는 항목은 다시 저장에 실패합니다.',
  replayedAll: '{count}건을 스트림에 다시 넣었습니다.',
};

export const letterTexts = { en, ko };

/** Why entries could not be written, as the API states it in English. One that is not here is shown as it is. */
const koreanReasons: Readonly<Record<string, string>> = {
  'no such coupon': '쿠폰이 없음',
  'no stock left': '남은 수량이 없음',
  'coupon is archived': '보관된 쿠폰',
  'unknown version': '이 버전에서 모르는 형식',
  'malformed coupon id': '쿠폰 번호가 잘못됨',
  'malformed epoch': 'epoch이 잘못됨',
  'malformed sequence': '순번이 잘못됨',
  'malformed time': '시각이 잘못됨',
  'malformed user id': '사용자 ID가 잘못됨',
};

export function koreanReason(reason: string): string {
  return koreanReasons[reason] ?? reason.replace(/^MySQL error (\d+)$/, 'MySQL 오류 $1');
}
