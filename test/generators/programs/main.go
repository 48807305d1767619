// Issues a coupon with the client that openapi-generator makes for Go, and reads the code of the refusal of a second request.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"

	coupons "github.com/example/coupons"
)

func main() {
	couponId, err := strconv.ParseInt(os.Args[2], 10, 64)
	if err != nil {
		panic(err)
	}
	configuration := coupons.NewConfiguration()
	configuration.Servers = coupons.ServerConfigurations{{URL: os.Args[1]}}
	issuing := coupons.NewAPIClient(configuration).IssuingAPI
	request := *coupons.NewIssueRequest(couponId, "go")
	issue, _, err := issuing.IssueWithScript(context.Background()).IssueRequest(request).Execute()
	if err != nil {
		panic(err)
	}
	fmt.Println(issue.Status, issue.Sequence)
	_, _, err = issuing.IssueWithScript(context.Background()).IssueRequest(request).Execute()
	var refusal *coupons.GenericOpenAPIError
	if !errors.As(err, &refusal) {
		panic(err)
	}
	problem := refusal.Model().(coupons.Problem)
	fmt.Println(problem.Code, problem.GetSequence())
}
