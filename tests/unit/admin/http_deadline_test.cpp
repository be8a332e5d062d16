// How long a client may be silent at the administration: a few seconds before it has shown that it
// may be there, longer afterwards.
#include "access.hpp"
#include "http_server.hpp"
#include "support/http_client.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <thread>

namespace fulmar::admin {
namespace {

using std::chrono::milliseconds;
using test::http_client;

/// Lets in whoever has any token.
struct doorkeeper final : http_handler {
    std::optional<http_response> screen(http_request& head) override {
        head.authenticated = !head.authorization.empty();
        if (head.authenticated) return std::nullopt;
        return http_response{.status = 401, .body = {}, .headers = {}};
    }
    void handle(http_request, respond answer) override { answer({.body = "{}", .headers = {}}); }
    http_response refuse(std::uint16_t status, std::string_view) override {
        return {.status = status, .body = {}, .headers = {}};
    }
};

/// A server on a thread of its own; strangers have so long, others ever so long.
class served {
  public:
    static constexpr milliseconds first{200};
    served() {
        http_.serve(listen_tcp("127.0.0.1", port_).value(), {.over_tcp = true});
        thread_ = std::thread([this] { io_.run(); });
    }
    ~served() {
        boost::asio::post(io_, [this] { http_.abort(); });
        stay_.reset();
        thread_.join();
    }
    http_client connect() { return http_client::tcp("127.0.0.1", port_); }

  private:
    static http_limits limits() {
        http_limits out;
        out.first = first;
        out.idle = std::chrono::hours(1);
        return out;
    }
    boost::asio::io_context io_{1};
    boost::asio::executor_work_guard<boost::asio::io_context::executor_type> stay_{
        io_.get_executor()};
    doorkeeper door_;
    http_server http_{io_, door_, limits()};
    std::uint16_t port_ = 0;
    std::thread thread_;
};

const http_client::headers token{{"Authorization", "Bearer 0123456789abcdef"}};

/// With an answer that says why, or without one; and long before the client's own patience.
bool is_ended(http_client& client) {
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    for (int status = 1; status != 0; status = client.read().status)
        if (status == 200 || std::chrono::steady_clock::now() > until) return false;
    return std::chrono::steady_clock::now() < until;
}

TEST(http_deadline, ends_a_stranger_that_says_nothing) {
    served at;
    http_client client = at.connect();
    EXPECT_TRUE(is_ended(client));
}

TEST(http_deadline, ends_a_stranger_whose_request_trickles) {
    served at;
    http_client client = at.connect();
    client.write("GET /v1/health HTTP/1.1\r\nX: ");
    std::atomic<bool> over{false};
    const auto trickle = std::async(std::launch::async, [&] {
        while (!over) {
            client.write("x");
            std::this_thread::sleep_for(served::first / 10);
        }
    });
    EXPECT_TRUE(is_ended(client));
    over = true;
}

TEST(http_deadline, ends_a_stranger_that_was_refused) {
    served at;
    http_client client = at.connect();
    EXPECT_EQ(client.send("GET", "/v1/health").status, 401);
    EXPECT_TRUE(is_ended(client)) << "it has nothing more to say";
}

TEST(http_deadline, leaves_who_may_be_there_alone) {
    served at;
    http_client client = at.connect();
    EXPECT_EQ(client.send("GET", "/v1/health", {}, token).status, 200);
    for (int i = 0; i < 2; ++i) {  // strangers that come later have been ended by then
        http_client later = at.connect();
        EXPECT_TRUE(is_ended(later));
    }
    EXPECT_EQ(client.send("GET", "/v1/health", {}, token).status, 200);
}

}  // namespace
}  // namespace fulmar::admin
