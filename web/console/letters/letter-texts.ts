// letter-texts.ts -- What the page of dead letters says beyond the texts that others share, in each language.

const en = {
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
