// Checkout.java -- A shop's checkout in Java: an order uses a coupon by its code or its customer, and gives it back when it is cancelled.
//
//   java examples/java/Checkout.java use order-7 SUMMER-K7WQ-3N9X     by its code; says which coupon of whom it was
//   java examples/java/Checkout.java use order-7 1 42                 coupon 1 of user 42
//   java examples/java/Checkout.java cancel order-7 1 42              gives it back
//
// COUPON_URL is the address of the API, COUPON_KEY a key with the scope `issue` (`bun run keys create --scope issue`). Java 17, its library alone.
// All may be repeated after any interruption, since the id of the order is the reference of the use.

import java.io.IOException;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.ThreadLocalRandom;
import java.util.regex.Pattern;

public class Checkout {
  private static final int ATTEMPTS = 5;

  /** What the customer reads. */
  private static final Map<String, String> WORDS = Map.of(
      "CODE_NOT_EXIST", "There is no such code.",
      "ISSUE_NOT_EXIST", "You do not have this coupon.",
      "ISSUE_ALREADY_USED", "This coupon was used for another order.",
      "ISSUE_NOT_USABLE", "This coupon cannot be used today.",
      "ISSUE_REVOKED", "This coupon is not valid any more.",
      "TOO_MANY_REQUESTS", "Please try again in a minute.");

  private final HttpClient http = HttpClient.newBuilder().connectTimeout(Duration.ofSeconds(2)).build();
  private final String url;
  private final String key;

  public Checkout(String url, String key) {
    this.url = url;
    this.key = key;
  }

  /** Neither done nor refused was confirmed: repeat it before the order goes on. */
  public static class Unknown extends Exception {}

  /** Uses a coupon by its code. Keep `couponId` and `userId` of the answer with the order: giving it back needs them. */
  public HttpResponse<String> useCode(String orderId, String code) throws Unknown, InterruptedException {
    return send(HttpRequest.newBuilder(URI.create(url + "/v1/codes/" + encode(code) + "/use")).POST(bodyOf(orderId)));
  }

  /** Uses the coupon of a customer. Call it last before the order is paid, and again if the process died meanwhile. */
  public HttpResponse<String> useIssue(String orderId, long couponId, String userId) throws Unknown, InterruptedException {
    return send(HttpRequest.newBuilder(URI.create(useOf(couponId, userId))).POST(bodyOf(orderId)));
  }

  /** Gives the coupon back. An order that has not used it, or has given it back before, changes nothing. */
  public String giveBack(String orderId, long couponId, String userId) throws Unknown, InterruptedException {
    var target = URI.create(useOf(couponId, userId) + "?reference=" + encode(orderId));
    var answer = send(HttpRequest.newBuilder(target).DELETE());
    String code = find("code", answer);
    // Another order uses it by now, or none does: in both cases this order has nothing to give back.
    boolean isDone = answer.statusCode() == 200 || code.equals("ISSUE_NOT_USED") || code.equals("ISSUE_ALREADY_USED");
    return isDone ? "given back" : find("detail", answer);
  }

  private String useOf(long couponId, String userId) {
    return url + "/v1/coupons/" + couponId + "/issues/" + encode(userId) + "/use";
  }

  /** A timeout, a broken connection and a 5xx tell nothing: the request is sent again. */
  private HttpResponse<String> send(HttpRequest.Builder builder) throws Unknown, InterruptedException {
    var request = builder
        .timeout(Duration.ofSeconds(10))
        .header("Content-Type", "application/json")
        .header("Authorization", "Bearer " + key)
        .build();
    for (int attempt = 0; attempt < ATTEMPTS; attempt += 1) {
      // With jitter: callers that failed together must not come back together.
      if (attempt > 0) Thread.sleep((long) (200 * Math.pow(2, attempt) * ThreadLocalRandom.current().nextDouble(0.5, 1)));
      try {
        var answer = http.send(request, HttpResponse.BodyHandlers.ofString());
        int status = answer.statusCode();
        // A limit that is reached after an attempt without an answer says nothing of that attempt.
        if (status < 500 && (status != 429 || attempt == 0)) return answer;
      } catch (IOException failed) {
        // Sent again.
      }
    }
    throw new Unknown();
  }

  /** A shop's JSON library writes and reads these; here the ids of orders have no character that JSON escapes. */
  private static HttpRequest.BodyPublisher bodyOf(String orderId) {
    return BodyPublishers.ofString("{\"reference\":\"" + orderId + "\"}");
  }

  private static String find(String name, HttpResponse<String> answer) {
    var found = Pattern.compile("\"" + name + "\":\"?([^\",}]*)").matcher(answer.body());
    return found.find() ? found.group(1) : "";
  }

  /** For a path as well as for a query: a blank is `%20` in both. */
  private static String encode(String text) {
    return URLEncoder.encode(text, StandardCharsets.UTF_8).replace("+", "%20");
  }

  public static void main(String[] args) throws InterruptedException {
    var environment = System.getenv();
    var checkout = new Checkout(
        environment.getOrDefault("COUPON_URL", "http://localhost:3000"),
        environment.getOrDefault("COUPON_KEY", "local-development-key-not-a-secret"));
    try {
      System.out.println(checkout.run(args));
    } catch (Unknown unknown) {
      System.out.println("unknown");
    }
  }

  private String run(String[] args) throws Unknown, InterruptedException {
    if (args[0].equals("cancel")) return giveBack(args[1], Long.parseLong(args[2]), args[3]);
    var answer = args.length == 3 ? useCode(args[1], args[2]) : useIssue(args[1], Long.parseLong(args[2]), args[3]);
    if (answer.statusCode() == 200) return "used coupon " + find("couponId", answer) + " of " + find("userId", answer);
    return WORDS.getOrDefault(find("code", answer), find("detail", answer));
  }
}
