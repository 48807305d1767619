// Issues a coupon with the client that openapi-generator makes for Java, and reads the code of the refusal of a second request.
import org.openapitools.client.ApiClient;
import org.openapitools.client.ApiException;
import org.openapitools.client.api.IssuingApi;
import org.openapitools.client.model.Issue;
import org.openapitools.client.model.IssueRequest;
import org.openapitools.client.model.Problem;

public class Main {
  public static void main(String[] args) throws Exception {
    ApiClient client = new ApiClient();
    client.updateBaseUri(args[0]);
    IssuingApi issuing = new IssuingApi(client);
    IssueRequest request = new IssueRequest().couponId(Long.parseLong(args[1])).userId("java");
    Issue issue = issuing.issueWithScript(request, null);
    System.out.println(issue.getStatus() + " " + issue.getSequence());
    try {
      issuing.issueWithScript(request, null);
    } catch (ApiException refusal) {
      Problem problem = client.getObjectMapper().readValue(refusal.getResponseBody(), Problem.class);
      System.out.println(problem.getCode() + " " + problem.getSequence());
    }
  }
}
