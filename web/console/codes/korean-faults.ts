// korean-faults.ts -- What an upload of codes expects of a line, in Korean. The API states it in English.

const texts: Readonly<Record<string, string>> = {
  '6 to 64 letters, digits, and - . _ ~, of which the first is a letter or digit':
    '6~64자의 영문자, 숫자, - . _ ~ (첫 글자는 영문자나 숫자)',
  'a code that is on no line before, and that the coupon does not have yet': '앞줄에도 이 쿠폰에도 아직 없는 코드',
  'a code of no other coupon': '다른 쿠폰의 코드가 아닌 코드',
  'at least one code': '코드 한 개 이상',
};

export function koreanFault(expected: string): string {
  return texts[expected] ?? expected;
}
