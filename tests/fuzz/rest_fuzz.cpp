// fuzz-links: fake_control admin
//
// Any bytes as a REST request ("METHOD target", a line with headers' values, the body): exactly one
// answer, a known status, and JSON where JSON was promised.
#include "admin/rest_api.hpp"
#include "support/fake_control.hpp"

#include <fulmar/base/assert.hpp>
#include <fulmar/base/log.hpp>

#include <boost/asio/io_context.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace {

using namespace fulmar;
using namespace fulmar::admin;

/// The admin layer over a core that is data, all on this thread.
struct world {
    world() {
        fulmar::log::set_level(fulmar::log::level::off);
        core::target_spec spec;
        spec.devices.push_back({.name = "a", .type = "ram", .size_bytes = 4096});
        spec.devices.push_back({.name = "b", .type = "ram", .size_bytes = 4096});
        core::subsystem_spec subsystem;
        subsystem.nqn = "nqn.2026-11.x:s";
        subsystem.namespaces.push_back({.nsid = 1, .device = "a"});
        spec.subsystems.push_back(subsystem);
        port = std::make_unique<test::fake_control>(*reactor, spec);
        client = std::make_unique<control_client>(io, *port, std::chrono::hours(1));
        context = std::make_unique<rest_context>(
            rest_context{.core = *client, .gate = gate, .drives = drives, .audit = false});
        admin_options options;
        options.unix_socket.clear();
        api = std::make_unique<rest_api>(*context, access_rules::make(options, {}).value());
        context->access = &api->access();
        peer.uid = ::geteuid();
        peer.name = "fuzzer";
    }

    monotonic_clock clock;
    std::unique_ptr<engine::reactor> reactor =
        engine::reactor::create(
            {.id = {}, .busy_window = {}, .clock = &clock, .descriptors = false})
            .value();
    boost::asio::io_context io;
    change_lock gate;
    drive_client drives{io, nullptr};
    std::unique_ptr<test::fake_control> port;
    std::unique_ptr<control_client> client;
    std::unique_ptr<rest_context> context;
    std::unique_ptr<rest_api> api;
    http_peer peer;
};

std::string_view take_line(std::string_view& text, char end) {
    const std::size_t at = std::min(text.find(end), text.size());
    const std::string_view line = text.substr(0, at);
    text.remove_prefix(std::min(at + 1, text.size()));
    return line;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    world w;
    std::string_view text(reinterpret_cast<const char*>(data), size);
    http_request request;
    request.peer = &w.peer;
    request.method = take_line(text, ' ');
    request.target = take_line(text, '\n');
    std::string_view values = take_line(text, '\n');
    request.if_match = take_line(values, '|');
    request.accept = take_line(values, '|');
    request.if_none_match = take_line(values, '|');
    request.authorization = take_line(values, '|');
    request.origin = take_line(values, '|');
    // Over TCP nobody gets far without a token; over the UNIX socket everything is possible.
    w.peer.over_tcp = !request.authorization.empty();
    w.peer.over_tls = !request.origin.empty();
    request.host = "localhost";
    request.content_type = "application/json";
    request.has_length = true;
    request.body = text;

    int answers = 0;
    const auto judge = [&answers](const http_response& answer) {
        ++answers;
        FULMAR_ASSERT(answer.status >= 200 && answer.status < 600);
        FULMAR_ASSERT(answer.status != 500);  // our own mistakes only
        if (answer.status != 204 && answer.content_type.ends_with("json"))
            FULMAR_ASSERT(nlohmann::json::accept(answer.body));
    };
    if (const auto refused = w.api->screen(request)) {
        judge(*refused);
    } else {
        w.api->handle(std::move(request), judge);
        for (int turn = 0; turn < 1000 && answers == 0; ++turn) {
            w.reactor->run_once();
            w.io.poll();
        }
    }
    FULMAR_ASSERT(answers == 1);
    return 0;
}
