// problem-texts.ts -- What the codes of the API mean to an operator, in each language.

const en = {
  COUPON_NOT_EXIST: 'There is no such coupon; it may have been deleted.',
  INVALID_COUPON_ISSUE_DATE: 'This coupon is over: there is nothing left to warm up.',
  COUPON_TOTAL_BELOW_ISSUED: '{issuedQuantity} are issued already: the total cannot be lower.',
  COUPON_TOTAL_ABOVE_CODES: 'The coupon has fewer codes. Import more, or lower the total.',
  COUPON_ARCHIVED: 'The issues of this coupon are archived in a file. Restore them first.',
  COUPON_TERMS_FIXED: 'The coupon has issues: its amounts and when it can be used stay as they are.',
  COUPON_HAS_ISSUES: 'The coupon has issues, so it cannot be deleted. Pause it, or let it end.',
  COUPON_HAS_CODES: 'The coupon has codes already. Nothing was changed.',
  CODES_TAKEN: 'Another coupon has codes of this form. Choose another beginning.',
  PRECONDITION_FAILED: 'Somebody else has changed this coupon meanwhile. Nothing was changed.',
  DEAD_LETTER_NOT_EXIST: 'This dead letter is gone: somebody else has replayed or discarded it.',
  DEAD_LETTER_UNREADABLE: 'This release cannot read the dead letter. It was left as it is.',
  WEBHOOK_NOT_EXIST: 'There is no such webhook; it may have been deleted.',
  WEBHOOK_LIMIT_REACHED: 'There are as many webhooks as there may be. Delete one first.',
  FAIL_COUPON_ISSUE_REQUEST: 'The server is overloaded or stopping, or Redis or MySQL did not respond. Try again.',
  INVALID_REQUEST: 'The server refused a value.',
  FORBIDDEN: 'Your key may not do this.',
  TOO_MANY_REQUESTS: 'Too many requests. Try again in a moment.',
  INTERNAL: 'The server failed. Its log says why.',
};

const ko: Record<keyof typeof en, string> = {
  COUPON_NOT_EXIST: '쿠폰이 없습니다. 이미 삭제되었을 수 있습니다.',
  INVALID_COUPON_ISSUE_DATE: '발급이 끝난 쿠폰이라 준비할 재고가 없습니다.',
  COUPON_TOTAL_BELOW_ISSUED: '이미 {issuedQuantity}장을 발급했습니다. 수량을 더 줄일 수 없습니다.',
  COUPON_TOTAL_ABOVE_CODES: '쿠폰 코드가 수량보다 적습니다. 코드를 더 가져오거나 수량을 줄여 주세요.',
  COUPON_ARCHIVED: '발급 내역이 파일로 보관된 쿠폰입니다. 먼저 복원해 주세요.',
  COUPON_TERMS_FIXED: '이미 발급된 쿠폰이라 금액과 사용 조건을 바꿀 수 없습니다.',
  COUPON_HAS_ISSUES: '이미 발급된 쿠폰은 삭제할 수 없습니다. 일시 중지하거나 종료될 때까지 두세요.',
  COUPON_HAS_CODES: '이미 코드가 있는 쿠폰입니다. 변경된 내용은 없습니다.',
  CODES_TAKEN: '다른 쿠폰이 같은 형식의 코드를 사용하고 있습니다. 앞부분을 바꿔 주세요.',
  PRECONDITION_FAILED: '그사이 다른 사람이 쿠폰을 변경했습니다. 변경된 내용은 없습니다.',
  DEAD_LETTER_NOT_EXIST: '이미 다른 사람이 다시 처리했거나 버린 항목입니다.',
  DEAD_LETTER_UNREADABLE: '이 버전에서 읽을 수 없는 항목이라 그대로 두었습니다.',
  WEBHOOK_NOT_EXIST: '웹훅이 없습니다. 이미 삭제되었을 수 있습니다.',
  WEBHOOK_LIMIT_REACHED: '웹훅을 더 만들 수 없습니다. 먼저 하나를 삭제해 주세요.',
  FAIL_COUPON_ISSUE_REQUEST:
    '서버가 혼잡하거나 종료 중이거나, Redis 또는 MySQL이 응답하지 않습니다. 다시 시도해 주세요.',
  INVALID_REQUEST: '서버가 받아들일 수 없는 값이 있습니다.',
  FORBIDDEN: '이 키로는 할 수 없는 작업입니다.',
  TOO_MANY_REQUESTS: '요청이 너무 많습니다. 잠시 후 다시 시도해 주세요.',
  INTERNAL: '서버에서 오류가 발생했습니다. 원인은 서버 로그에 있습니다.',
};

export const problemTexts = { en, ko };
