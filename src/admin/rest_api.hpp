// The REST endpoint: finds the route of a request, checks what holds for all routes, and runs it.
// Called on: admin thread.
#pragma once

#include "access.hpp"
#include "rest.hpp"

#include <fulmar/base/log.hpp>

namespace fulmar::admin {

class rest_api final : public http_handler {
  public:
    rest_api(rest_context& context, access_rules access)
        : context_(context), access_(std::move(access)) {}

    std::optional<http_response> screen(http_request& head) override;
    void handle(http_request request, respond answer) override;
    http_response refuse(std::uint16_t status, std::string_view why) override;

    [[nodiscard]] access_rules& access() noexcept { return access_; }

  private:
    struct match {
        const route* found = nullptr;
        std::vector<std::string> parameters;
        std::string allowed;  ///< methods of this path; empty: there is no such path
    };
    static match find(const std::string& method, const request_target& target);
    static std::optional<http_response> check_role(const access_rules::known& who,
                                                   const http_request& head,
                                                   const request_target& target,
                                                   const match& place);
    std::optional<http_response> check(const http_request& head, const request_target& target,
                                       const match& place) const;
    void run_change(const call_ptr& call);
    void limited_warning(const http_request& request, const http_response& answer);

    rest_context& context_;
    access_rules access_;
    log::limiter refusals_;
};

}  // namespace fulmar::admin
