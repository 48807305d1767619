// CouponController.java -- A controller of Spring Boot that issues a coupon for the signed-in user: `POST /coupons/1`.
//
// `coupon.url` is the address of the API, `coupon.key` a key with the scope `issue` (`bun run keys create --scope issue`).

import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.security.Principal;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.ThreadLocalRandom;
import java.util.regex.Pattern;
import org.springframework.beans.factory.annotation.Value;
import org.springframework.web.bind.annotation.PathVariable;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RestController;

@RestController
public class CouponController {
  private static final int ATTEMPTS = 5;
  private static final Pattern SEQUENCE = Pattern.compile("\"sequence\":(\\d+)");
  private static final Pattern CODE = Pattern.compile("\"code\":\"([A-Z_]+)\"");

  private final HttpClient http = HttpClient.newBuilder().connectTimeout(Duration.ofSeconds(2)).build();
  private final String url;
  private final String key;

  public CouponController(@Value("${coupon.url}") String url, @Value("${coupon.key}") String key) {
    this.url = url;
    this.key = key;
  }

  @PostMapping("/coupons/{couponId}")
  public Map<String, Object> issue(@PathVariable("couponId") long couponId, Principal user) throws InterruptedException {
    // A timeout, a broken connection and a 5xx tell nothing: the next answer then tells who has the coupon.
    boolean ambiguous = false;
    for (int attempt = 0; attempt < ATTEMPTS; attempt += 1) {
      // With jitter: a crowd that was turned away together must not come back together.
      if (attempt > 0) Thread.sleep((long) (200 * Math.pow(2, attempt) * ThreadLocalRandom.current().nextDouble(0.5, 1)));
      try {
        var response = send(couponId, user.getName());
        int status = response.statusCode();
        ambiguous |= status >= 500;
        if (status >= 500 || status == 429) continue;
        String sequence = find(SEQUENCE, response.body());
        if (status < 300) return Map.of("result", "issued", "sequence", Long.parseLong(sequence));
        String code = find(CODE, response.body());
        if (code.equals("DUPLICATED_COUPON_ISSUE"))
          return Map.of("result", ambiguous ? "issued" : "already issued", "sequence", Long.parseLong(sequence));
        if (ambiguous && !code.equals("INVALID_COUPON_ISSUE_QUANTITY")) break;
        return Map.of("result", code);
      } catch (IOException failed) {
        ambiguous = true;
      }
    }
    return Map.of("result", "unknown");
  }

  private HttpResponse<String> send(long couponId, String userId) throws IOException, InterruptedException {
    var request = HttpRequest.newBuilder(URI.create(url + "/v2/issue-async"))
        .timeout(Duration.ofSeconds(5))
        .header("Content-Type", "application/json")
        .header("Authorization", "Bearer " + key)
        // The characters of a user id need no escaping in JSON.
        .POST(HttpRequest.BodyPublishers.ofString("{\"couponId\":" + couponId + ",\"userId\":\"" + userId + "\"}"))
        .build();
    return http.send(request, HttpResponse.BodyHandlers.ofString());
  }

  private static String find(Pattern pattern, String text) {
    var found = pattern.matcher(text);
    return found.find() ? found.group(1) : "";
  }
}
