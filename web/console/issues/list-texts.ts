// list-texts.ts -- What the list of the issues of a coupon says, in each language.

const en = {
  issues: 'Issues',
  issuesOf: 'Issues of {title}',
  issuesHint: 'In the order in which they were accepted, once they are rows in MySQL.',
  noIssues: 'Nothing more is written yet.',
  userHasNone: '{user} has no issue of this coupon that is a row in MySQL.',
  user: 'User',
  issueUsed: 'Used {at}',
  newer: 'Look again',
  download: 'Download CSV',
  downloading: 'Downloading…',
  downloaded: '{rows} issues are in the file.',
  downloadFailed: 'The file could not be read to its end. Try again.',
};

const ko: Record<keyof typeof en, string> = {
  issues: '발급 내역',
  issuesOf: '{title} 발급 내역',
  issuesHint: '승인된 순서대로, MySQL에 저장된 것부터 표시합니다.',
  noIssues: '아직 저장된 내역이 더 없습니다.',
  userHasNone: '{user}님은 이 쿠폰의 저장된 발급 내역이 없습니다.',
  user: '사용자',
  issueUsed: '{at}에 사용',
  newer: '새 내역 확인',
  download: 'CSV 내려받기',
  downloading: '내려받는 중…',
  downloaded: '파일에 발급 내역 {rows}건이 있습니다.',
  downloadFailed: '파일을 끝까지 읽지 못했습니다. 다시 시도해 주세요.',
};

export const listTexts = { en, ko };
