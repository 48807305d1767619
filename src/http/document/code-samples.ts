// code-samples.ts -- How a program issues a coupon, in four languages without a library: `x-codeSamples` in the document, as viewers know it.

export interface CodeSample {
  readonly lang: string;
  readonly label: string;
  readonly source: string;
}

interface Body {
  readonly couponId: number;
  readonly userId: string;
}

/** What the samples are sent to; pages put their own address in its place. */
const ORIGIN = 'http://localhost:3000';

/** @param isAuthOn whether callers must show a key or a token, which stands as TOKEN */
export function codeSamples(path: string, body: Body, isAuthOn: boolean): readonly CodeSample[] {
  const call = { url: `${ORIGIN}${path}`, body, isAuthOn };
  return [
    { lang: 'Shell', label: 'curl', source: curl(call) },
    { lang: 'TypeScript', label: 'TypeScript', source: typescript(call) },
    { lang: 'Java', label: 'Java', source: java(call) },
    { lang: 'Python', label: 'Python', source: python(call) },
  ];
}

interface Call {
  readonly url: string;
  readonly body: Body;
  readonly isAuthOn: boolean;
}

function curl({ url, body, isAuthOn }: Call): string {
  return `curl -i ${url} \\
  -H 'Content-Type: application/json' \\${isAuthOn ? "\n  -H 'Authorization: Bearer TOKEN' \\" : ''}
  -d '${JSON.stringify(body)}'`;
}

function typescript({ url, body, isAuthOn }: Call): string {
  return `const response = await fetch('${url}', {
  method: 'POST',
  headers: { 'content-type': 'application/json'${isAuthOn ? ", authorization: 'Bearer TOKEN'" : ''} },
  body: JSON.stringify({ couponId: ${body.couponId}, userId: '${body.userId}' }),
});
const answer = await response.json();
// A timeout or a 503 tells nothing: ask again, and DUPLICATED_COUPON_ISSUE with a sequence means that it was issued.
console.log(response.ok ? \`number \${answer.sequence}\` : answer.code);`;
}

function java({ url, body, isAuthOn }: Call): string {
  return `import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;

public class Issue {
  public static void main(String[] arguments) throws Exception {
    var request = HttpRequest.newBuilder(URI.create("${url}"))
        .header("Content-Type", "application/json")${isAuthOn ? '\n        .header("Authorization", "Bearer TOKEN")' : ''}
        .POST(HttpRequest.BodyPublishers.ofString(${JSON.stringify(JSON.stringify(body))}))
        .build();
    var response = HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofString());
    // 201 and 202: issued. 409: the code in the body says why not. 503 tells nothing: ask again.
    System.out.println(response.statusCode() + " " + response.body());
  }
}`;
}

function python({ url, body, isAuthOn }: Call): string {
  return `import json
import urllib.error
import urllib.request

request = urllib.request.Request(
    "${url}",
    data=json.dumps({"couponId": ${body.couponId}, "userId": "${body.userId}"}).encode(),
    headers={"Content-Type": "application/json"${isAuthOn ? ', "Authorization": "Bearer TOKEN"' : ''}},
)
try:
    with urllib.request.urlopen(request, timeout=10) as response:
        print("number", json.load(response)["sequence"])
except urllib.error.HTTPError as error:
    # 409: the code says why not. 503 tells nothing: ask again.
    print(json.load(error)["code"])`;
}
