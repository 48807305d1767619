// WebhookReceiver.java -- Receives webhooks in Java: verifies their signature, and handles each event once and in order.
//
//   WEBHOOK_SECRET=whsec_… java examples/java/WebhookReceiver.java     listens on PORT, by default 4000
//
// Java 17, its library alone; the artifact `com.standardwebhooks:standardwebhooks` of Maven verifies the same. A shop keeps what it has handled
// in its database, in the transaction of what it does: here it is kept in memory.

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.time.Instant;
import java.util.Base64;
import java.util.HashSet;
import java.util.Set;
import java.util.regex.Pattern;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

public class WebhookReceiver {
  private static final int TOLERANCE_S = 300;
  private static final int BODY_BYTES_MAX = 1_000_000;
  /** A shop's JSON library reads the body; here a pattern does, since no value of an event has a quote or a brace. */
  private static final Pattern EVENT =
      Pattern.compile("\\{\"id\":\"([^\"]+)\",\"type\":\"([^\"]+)\",\"timestamp\":\"([^\"]+)\",\"data\":(\\{[^}]*})}");

  private final byte[] key;
  private final Set<String> handled = new HashSet<>();

  public WebhookReceiver(String secret) {
    key = Base64.getDecoder().decode(secret.replaceFirst("^whsec_", ""));
  }

  /** Does what the shop has to do; throwing makes the request be sent again. */
  private void handle(String type, String timestamp, String data) {
    System.out.println(timestamp + " " + type + " " + data);
  }

  /** Whether the coupon system has sent these very bytes, and within five minutes. */
  private boolean isSigned(String id, String timestamp, String signatures, byte[] body) throws GeneralSecurityException {
    if (id == null || timestamp == null || signatures == null || !timestamp.matches("\\d{1,15}")) return false;
    if (Math.abs(Instant.now().getEpochSecond() - Long.parseLong(timestamp)) > TOLERANCE_S) return false;
    var mac = Mac.getInstance("HmacSHA256");
    mac.init(new SecretKeySpec(key, "HmacSHA256"));
    mac.update((id + "." + timestamp + ".").getBytes(StandardCharsets.UTF_8));
    var expected = ("v1," + Base64.getEncoder().encodeToString(mac.doFinal(body))).getBytes(StandardCharsets.UTF_8);
    // Several while a secret is changed. Compared in the same time wherever they differ.
    for (String given : signatures.split(" "))
      if (MessageDigest.isEqual(expected, given.getBytes(StandardCharsets.UTF_8))) return true;
    return false;
  }

  private int receive(HttpExchange exchange) throws IOException, GeneralSecurityException {
    // The signature is of these very bytes: they are verified before anything reads them.
    byte[] body = exchange.getRequestBody().readNBytes(BODY_BYTES_MAX + 1);
    if (body.length > BODY_BYTES_MAX) return 413;
    var headers = exchange.getRequestHeaders();
    String timestamp = headers.getFirst("webhook-timestamp");
    if (!isSigned(headers.getFirst("webhook-id"), timestamp, headers.getFirst("webhook-signature"), body)) return 401;
    var events = EVENT.matcher(new String(body, StandardCharsets.UTF_8));
    while (events.find()) {
      // Sent again after an answer that was lost.
      if (handled.contains(events.group(1))) continue;
      handle(events.group(2), events.group(3), events.group(4));
      handled.add(events.group(1));
    }
    return 204;
  }

  private void answer(HttpExchange exchange) throws IOException {
    int status = 500;
    try {
      status = receive(exchange);
    } catch (GeneralSecurityException | RuntimeException failed) {
      failed.printStackTrace();
    }
    exchange.sendResponseHeaders(status, -1);
    exchange.close();
  }

  public static void main(String[] args) throws IOException {
    var receiver = new WebhookReceiver(System.getenv("WEBHOOK_SECRET"));
    int port = Integer.parseInt(System.getenv().getOrDefault("PORT", "4000"));
    // Without an executor it handles one request after the other, as the events of a coupon must be.
    var server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), port), 0);
    server.createContext("/", receiver::answer);
    server.start();
    System.out.println("listening on http://127.0.0.1:" + server.getAddress().getPort());
  }
}
