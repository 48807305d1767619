// Issues a coupon with the client that openapi-generator makes for Kotlin, and reads the code of the refusal of a second request.
import com.fasterxml.jackson.module.kotlin.readValue
import org.openapitools.client.apis.IssuingApi
import org.openapitools.client.infrastructure.ClientError
import org.openapitools.client.infrastructure.ClientException
import org.openapitools.client.infrastructure.Serializer
import org.openapitools.client.models.IssueRequest
import org.openapitools.client.models.Problem

fun main(args: Array<String>) {
    val issuing = IssuingApi(args[0])
    val request = IssueRequest(couponId = args[1].toLong(), userId = "kotlin")
    val issue = issuing.issueWithScript(request)
    println("${issue.status} ${issue.sequence}")
    try {
        issuing.issueWithScript(request)
    } catch (refusal: ClientException) {
        val body = (refusal.response as ClientError<*>).body as String
        val problem = Serializer.jacksonObjectMapper.readValue<Problem>(body)
        println("${problem.code} ${problem.sequence}")
    }
}
