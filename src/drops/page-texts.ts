// page-texts.ts -- What the page of a drop says before its script runs, or without it, in each language.

import type { DropView } from '../issues/drop-routes.ts';

const en = {
  coupon: 'Coupon',
  off: '{amount} off',
  loading: 'Loading…',
  noCoupon: 'This coupon does not exist',
  before: 'Opens on {start}',
  open: 'Open until {end}',
  paused: 'Paused for a moment',
  soldOut: 'Sold out',
  ended: 'Ended on {end}',
  noScript: 'This page needs JavaScript. Allow it for this site, or open the page in another browser.',
  slow: 'The page could not start. Reload it, or open it in another browser.',
  reload: 'Reload',
  reminder: 'Opens in 5 minutes',
};

const ko: typeof en = {
  coupon: '쿠폰',
  off: '{amount} 할인',
  loading: '불러오는 중이에요…',
  noCoupon: '없는 쿠폰이에요',
  before: '{start}에 열려요',
  open: '{end}까지 받을 수 있어요',
  paused: '잠시 멈췄어요',
  soldOut: '모두 소진됐어요',
  ended: '{end}에 끝났어요',
  noScript: '이 페이지는 JavaScript가 필요해요. 이 사이트에서 허용하거나 다른 브라우저로 열어 주세요.',
  slow: '페이지를 시작하지 못했어요. 새로고침하거나 다른 브라우저로 열어 주세요.',
  reload: '새로고침',
  reminder: '5분 뒤에 열려요',
};

export type PageLanguage = 'en' | 'ko';

export const pageTexts = { en, ko };

/** The first of the languages that the reader's browser names which the page has. */
export function languageOf(acceptLanguage: string | null): PageLanguage {
  const first = /(?:^|[,\s])(en|ko)\b/i.exec(acceptLanguage ?? '')?.[1];
  return first?.toLowerCase() === 'ko' ? 'ko' : 'en';
}

/** An amount as people write it: 10,000원, $10. */
export function moneyText(language: PageLanguage, amount: number, currency: string): string {
  if (language === 'ko' && currency === 'KRW') return `${amount.toLocaleString('ko')}원`;
  const options = { style: 'currency', currency } as const;
  const format = new Intl.NumberFormat(language, options);
  const whole = amount / 10 ** (format.resolvedOptions().maximumFractionDigits ?? 0);
  if (!Number.isInteger(whole)) return format.format(whole);
  return new Intl.NumberFormat(language, { ...options, maximumFractionDigits: 0 }).format(whole);
}

/** How the coupon stands at `nowMs`, with instants in its own time zone, since that of the reader is not known here. */
export function stateText(language: PageLanguage, drop: DropView, nowMs: number): string {
  const texts = pageTexts[language];
  const format = new Intl.DateTimeFormat(language, {
    year: 'numeric',
    month: 'short',
    day: 'numeric',
    hour: '2-digit',
    minute: '2-digit',
    timeZone: drop.timeZone ?? 'UTC',
    timeZoneName: 'short',
  });
  const at = (text: string, instant: string) => text.replace(/\{\w+\}/, () => format.format(new Date(instant)));
  if (nowMs >= Date.parse(drop.dateIssueEnd)) return at(texts.ended, drop.dateIssueEnd);
  if (drop.paused) return texts.paused;
  if (nowMs < Date.parse(drop.dateIssueStart)) return at(texts.before, drop.dateIssueStart);
  return drop.left === 0 ? texts.soldOut : at(texts.open, drop.dateIssueEnd);
}
