// issue-texts.ts -- What the console says of the life of an issue, in each language: a part of texts.ts.

const en = {
  reference: 'Reference',
  usableSince: 'Usable from',
  usableTo: 'Usable until',
  revokedAt: 'Revoked',
  isIssued: 'Issued',
  isUsed: 'Used',
  isExpired: 'Expired',
  isRevoked: 'Revoked',
  use: 'Use',
  useSure: 'Use number {sequence} of {title} for {user}?',
  referenceHint: 'Such as the id of an order; may be left empty.',
  useDone: 'Number {sequence} of {title} is used.',
  undo: 'Undo the use',
  undoSure: 'Make number {sequence} of {title} usable again for {user}?',
  undoDone: 'Number {sequence} of {title} is no longer used.',
  revoke: 'Revoke',
  revokeSure:
    'Revoke number {sequence} of {title}? {user} can never use it, and does not get it again. This cannot be undone.',
  revokeReason: 'Why',
  revokeReasonHint: 'Kept in the history, so name no person.',
  revokeDone: 'Number {sequence} of {title} is revoked.',
  issueRevoked: 'Revoked {at}',
  findCodeHint: 'As the customer has it. In generated codes small letters and blanks do not matter.',
  codeOfAnother: 'The code {code} belongs to an issue of another coupon:',
  showAll: 'Show all',
};

const ko: Record<keyof typeof en, string> = {
  reference: '참조',
  usableSince: '사용 시작',
  usableTo: '사용 종료',
  revokedAt: '회수 시각',
  isIssued: '발급됨',
  isUsed: '사용됨',
  isExpired: '만료됨',
  isRevoked: '회수됨',
  use: '사용 처리',
  useSure: '{user}님의 {title} {sequence}번을 사용 처리할까요?',
  referenceHint: '주문 번호 등을 입력합니다. 비워 둘 수 있습니다.',
  useDone: '{title} {sequence}번을 사용 처리했습니다.',
  undo: '사용 되돌리기',
  undoSure: '{user}님이 {title} {sequence}번을 다시 사용할 수 있게 할까요?',
  undoDone: '{title} {sequence}번을 다시 사용할 수 있습니다.',
  revoke: '회수',
  revokeSure:
    '{title} {sequence}번을 회수할까요? {user}님은 이 쿠폰을 사용할 수 없고 다시 받을 수도 없습니다. 되돌릴 수 없습니다.',
  revokeReason: '이유',
  revokeReasonHint: '변경 이력에 남으니 개인정보는 적지 마세요.',
  revokeDone: '{title} {sequence}번을 회수했습니다.',
  issueRevoked: '{at} 회수됨',
  findCodeHint: '고객이 받은 그대로 입력하세요. 생성된 코드는 대소문자와 공백을 구분하지 않습니다.',
  codeOfAnother: '코드 {code}는 다른 쿠폰의 코드입니다:',
  showAll: '모두 보기',
};

export const issueTexts = { en, ko };
